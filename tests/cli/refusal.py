"""What every wrong input on the command line looks like."""

from catalyst_core.cli import main


def refusal(capsys, words):
    """Run the command; it must end with code 2 and one sentence on standard error, which is returned."""
    try:
        code = main(list(words))
    except SystemExit as ended:  # the parser's own
        code = ended.code
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.startswith("catalyst: ")
    assert len(said.err.splitlines()) == 1
    return said.err
