"""The evidence: races of every method and of the peers on real images, over seeds, and the report on them.

suites    what is raced: plain data              plan     the races of a suite, one after the other
run       carries them out through the engine    rows     what they brought, a row a contender
summary   mean, deviation, picks, targets        report   tables, figures and pages
"""
