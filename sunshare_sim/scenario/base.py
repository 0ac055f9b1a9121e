"""What all sections of a scenario share: frozen models, documented fields, numbers that may be drawn."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from sunshare_sim.errors import did_you_mean


class Names(NamedTuple):
    """Hold the names a scenario may use but this layer does not know; pass as validation context."""

    mechanisms: Collection[str] = ()
    strategies: Collection[str] = ()


MANY_NAMES = 30
FILE = "file-path"


def mistake(
    what: str, *, key: str = "", got: object = None, expected: str = "", hint: str = ""
) -> PydanticCustomError:
    """Return an error for a validator to raise; `load` gives it its place and its line.

    Parameters
    ----------
    what : str
        What is wrong.
    key : str
        Key inside the validated section that is to blame; empty when it is the value itself.
    got : object
        What was found, where that is more than the value itself.
    expected : str
        What would have been right.
    hint : str
        How to mend it.
    """
    text = "; ".join(part for part in (what, expected and f"expected {expected}", hint) if part)
    context = {"what": what, "key": key, "got": got, "expected": expected, "hint": hint}
    # The text stands in the context, because the template may only be a literal.
    return PydanticCustomError("mistake", "{text}", {**context, "text": text})


def number_text(value: float) -> str:
    """Return a bound as people write it.

    >>> number_text(1e7), number_text(1e-6)
    ('10,000,000', '0.000001')
    """
    return f"{Decimal(f'{value:g}'):,f}" if isinstance(value, float) else f"{value:,}"


def check_name(name: str, valid: Collection[str], what: str) -> str:
    """Return `name` if it is valid or nothing is known of validity, else raise with the nearest name."""
    if valid and name not in valid:
        expected = f"one of {', '.join(sorted(valid))}" if len(valid) <= MANY_NAMES else ""
        raise mistake(f"unknown {what}", expected=expected, hint=did_you_mean(name, valid))
    return name


class Section(BaseModel):
    """Base of every section: frozen, strict about types, unknown keys forbidden."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )


def field(default: Any, description: str, *, unit: str = "", file: bool = False, **limits: Any) -> Any:
    """Return a pydantic field with a one-line description, a unit and a range.

    Parameters
    ----------
    default : object
        Default value; ``...`` for a field that must be given.
    description : str
        One line, for the published schema and for error messages.
    unit : str
        Unit of a number; empty where there is none.
    file : bool
        Whether the value is the path of a file, relative to the scenario file that names it.
    **limits
        pydantic's ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``pattern``.
    """
    extra: dict[str, Any] = ({"unit": unit} if unit else {}) | ({"format": FILE} if file else {})
    if isinstance(default, tuple) or limits.get("min_length"):
        # YAML knows lists only; what holds them here is a tuple, so that a scenario stays frozen.
        limits["strict"] = False
    return Field(default, description=description, json_schema_extra=extra or None, **limits)


class Uniform(Section):
    """Draw a number evenly between two bounds."""

    min: float = field(..., "lower bound, in the unit of the key it stands under")
    max: float = field(..., "upper bound, in the unit of the key it stands under")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise mistake("min is above max", key="min", expected=f"at most max, {self.max:g}")
        return self


class Lognormal(Section):
    """Draw a number from a lognormal law."""

    median: float = field(..., "median, in the unit of the key it stands under", gt=0)
    sigma: float = field(..., "standard deviation of the natural logarithm", unit="1", ge=0, le=2)


def _kind_of_draw(value: object) -> str:
    if isinstance(value, Mapping):
        return "lognormal" if "median" in value or "sigma" in value else "uniform"
    if isinstance(value, Uniform):
        return "uniform"
    return "lognormal" if isinstance(value, Lognormal) else "number"


Draw = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[Lognormal, Tag("lognormal")],
    Discriminator(_kind_of_draw),
]
"""A number, `{min, max}` (uniform) or `{median, sigma}` (lognormal): one value a home."""


@dataclass(frozen=True)
class Within:
    """Hold the numbers of a `Draw` between two bounds, whatever its form."""

    low: float
    high: float

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate the bounds after the draw itself."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Publish the bounds of a plain number."""
        found = handler(schema)
        for form in found.get("oneOf", []):
            if form.get("type") == "number":
                form |= {"minimum": self.low, "maximum": self.high}
        return found

    def _check(self, draw: float | Uniform | Lognormal) -> float | Uniform | Lognormal:
        numbers = draw.model_dump() if isinstance(draw, Section) else {"": draw}
        for key in ("", "min", "max", "median"):
            if key in numbers and not self.low <= numbers[key] <= self.high:
                raise mistake(
                    "out of range", key=key, expected=f"{number_text(self.low)} to {number_text(self.high)}"
                )
        return draw


def within(low: float, high: float) -> Within:
    """Return the constraint that holds a `Draw` between two bounds, whatever its form."""
    return Within(low, high)
