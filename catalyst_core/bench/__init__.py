"""Timings, measured side by side in one run and printed as ratios; none is ever asserted in a test."""
