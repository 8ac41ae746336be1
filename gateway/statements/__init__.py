"""What was settled, on paper: a household's months, their check, the grid operator's files.

settlements.py       lines with corrections, notices, months
statement_files.py   a month as CSV and as PDF, both from the same rows
month_check.py       whether a month may be sent: all settled, and what adds up adds up
grid_exports.py      CSV files for the grid operator
"""
