"""The section `place`: where, and under which sky."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, field_validator

from sunshare_sim.scenario.base import Section, check_name, field, mistake


class DwdTry(Section):
    """Use one of the 15 German test reference years (DWD/BBR 2010)."""

    source: Literal["dwd_try"] = "dwd_try"
    region: int = field(4, "region of the test reference year (4 = Potsdam)", unit="1", ge=1, le=15)


class Tmy(Section):
    """Use a typical meteorological year that comes with pvlib."""

    source: Literal["tmy"] = "tmy"
    station: Literal["greensboro", "sand_point", "miami"] = field("greensboro", "station of the typical year")


class ClearSky(Section):
    """Compute a clear sky and draw clouds over it, where there is no weather file."""

    source: Literal["clear_sky"] = "clear_sky"
    clouds: bool = field(
        default=True, description="draw clouds from the stream 'weather'; without them the sky stays clear"
    )


class WeatherFile(Section):
    """Read weather from a file of the user's own."""

    source: Literal["file"] = "file"
    path: str = field(..., "CSV, Parquet, EPW or TMY3 file, relative to the scenario file", file=True)


Weather = Annotated[DwdTry | Tmy | ClearSky | WeatherFile, Field(discriminator="source")]


class Place(Section):
    """Say where the community is: sun, clock and weather follow from it."""

    name: str = field("Potsdam", "name of the place, for figures")
    latitude: float = field(52.38, "latitude, north positive", unit="deg", ge=-66, le=66)
    longitude: float = field(13.06, "longitude, east positive", unit="deg", ge=-180, le=180)
    altitude_m: float = field(81.0, "height above sea level", unit="m", ge=-430, le=6000)
    timezone: str = field("Europe/Berlin", "IANA name of the local time, for habits and tariffs")
    weather: Weather = field(DwdTry(), "where irradiance and temperature come from")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            # The list of all zones is read from hundreds of files, so only when it is needed.
            check_name(name, available_timezones(), "time zone")
            raise mistake("unknown time zone", expected="an IANA name such as Europe/Berlin") from None
        return name
