"""The form of a new race, filled in with mouse and keyboard."""

import re

from playwright.sync_api import expect

TITLES = ("Catalyst", "L1", "Group Lasso", "Magnitude cut", "Random cut")  # what is chosen to begin with


def fill_in(page, contenders, dense, sparse, finetune):
    """The first so many of the usual methods, and epochs of the three stages."""
    methods = page.get_by_role("combobox", name=re.compile("Methods"))
    methods.click()
    for _ in range(len(TITLES) - contenders):
        methods.press("Backspace")
    methods.press("Escape")
    expect(page.get_by_text(TITLES[contenders], exact=True)).to_have_count(0)
    page.get_by_text("Training", exact=True).click()
    for name, epochs in (("Dense epochs", dense), ("Sparse epochs", sparse), ("Fine-tuning epochs", finetune)):
        field = page.get_by_role("spinbutton", name=name, exact=True)
        field.fill(str(epochs))
        field.press("Enter")
