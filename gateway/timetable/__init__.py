"""What is due on the market, done by members' own processes: open, close, clear, settle.

server.py          a member's process (`gridledger timetable`)
timetable.py       what is due in every listing
upkeep.py          what nobody in particular has to do: deals settled, prices watched
settling.py        settling a listing of any size, page by page
scheduler.py       one hour of the demo after the other, each step exactly once
market_clock.py    the demo's accelerated clock. Pure arithmetic
"""
