"""What was settled, on paper: a household's months, their check, the grid operator's files.

settlements.py       lines with corrections, deals, notices, months
deals.py             what was sold and bought house to house
group_hours.py       a member's part of what its groups traded
account_month.py     opening balance, what moved and why, closing balance
statement_files.py   a month as CSV and as PDF, both from the same rows
month_check.py       whether a month may be sent: all settled, and what adds up adds up
grid_exports.py      CSV files for the grid operator
"""
