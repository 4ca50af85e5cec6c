"""What all parts of a configuration share: frozen, without unknown fields, and sentences for what is wrong."""

import unicodedata

from pydantic import BaseModel, ConfigDict, ValidationError

from catalyst_core.errors import ConfigError, shown

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # marks that set the direction of text


class Config(BaseModel):
    """Validated once, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


def check_visible(where: str, text: str) -> None:
    """Refuse what would break lines, move a terminal's cursor or turn around the text beside it."""
    hidden = next((one for one in text if unicodedata.category(one) in ("Cc", "Zl", "Zp") or one in TURNING), None)
    if hidden is not None:
        raise ConfigError(f"{where}: take out the character U+{ord(hidden):04X}, which cannot be seen, from {shown(text)}")


def sentence(error: ValidationError) -> str:
    """What, where and what is allowed, of the first thing that pydantic found."""
    first = error.errors(include_url=False)[0]
    where = ".".join(shown(part).strip("'") for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "string_pattern_mismatch":
        said = "only letters a to z, digits, spaces inside and . @ = + - _ are allowed"
        if first["loc"][-1] in ("name", "model"):
            said = "only letters a to z, digits and _ are allowed, and : in front of a network of another library"
    got = "" if first["type"] in ("value_error", "missing") else f", not {shown(first['input'])}"
    said = said[0].lower() + said[1:]
    return f"{where}: {said}{got}" if where else said
