"""Code of an owner's own, registered in the home of a test."""

from pathlib import Path


def register(home: Path, module: str, code: str, names: tuple[str, ...], more: str = "") -> None:
    """Put a module there; its factories of these names are networks, in small letters; `more` ends `catalyst.toml`."""
    (home / "code").mkdir(parents=True)
    (home / "code" / f"{module}.py").write_text(code)
    networks = "".join(f"{name.lower()} = '{module}:{name}'\n" for name in names)
    (home / "catalyst.toml").write_text(f'path = ["code"]\n[models]\n{networks}{more}')
