"""The evidence: races of every method and of the peers on real images, over seeds, and the report on them.

suites    what is raced: plain data              plan     the races of a suite, one after the other
run       carries them out through the engine    rows     what they brought, a row a contender
summary   mean, deviation, picks                 targets  what was wanted, what was found
tables    rows as text and CSV                   pictures figures, drawn by charts
blocks    a report as HTML and as Markdown       report   what it says; all of its files
readme    the table of README.md
"""
