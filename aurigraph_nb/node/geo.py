"""Where peers and validators stand, and how far that is."""

from __future__ import annotations

import math
import random

import msgspec


class City(msgspec.Struct, frozen=True):
    """A place with a data centre."""

    name: str
    country: str
    latitude: float
    """Degrees north."""
    longitude: float
    """Degrees east."""


REGIONS: dict[str, tuple[float, tuple[City, ...]]] = {
    "europe": (
        0.34,
        (
            City("Frankfurt", "Germany", 50.11, 8.68),
            City("Amsterdam", "Netherlands", 52.37, 4.90),
            City("London", "United Kingdom", 51.51, -0.13),
            City("Zurich", "Switzerland", 47.37, 8.54),
            City("Paris", "France", 48.86, 2.35),
            City("Stockholm", "Sweden", 59.33, 18.07),
            City("Warsaw", "Poland", 52.23, 21.01),
        ),
    ),
    "north-america": (
        0.29,
        (
            City("Ashburn", "United States", 39.04, -77.49),
            City("Chicago", "United States", 41.88, -87.63),
            City("San Jose", "United States", 37.34, -121.89),
            City("Toronto", "Canada", 43.65, -79.38),
            City("Dallas", "United States", 32.78, -96.80),
        ),
    ),
    "asia": (
        0.22,
        (
            City("Singapore", "Singapore", 1.35, 103.82),
            City("Tokyo", "Japan", 35.68, 139.69),
            City("Seoul", "South Korea", 37.57, 126.98),
            City("Mumbai", "India", 19.08, 72.88),
            City("Hong Kong", "Hong Kong", 22.32, 114.17),
        ),
    ),
    "south-america": (
        0.07,
        (City("Sao Paulo", "Brazil", -23.55, -46.63), City("Santiago", "Chile", -33.45, -70.67)),
    ),
    "oceania": (
        0.05,
        (City("Sydney", "Australia", -33.87, 151.21), City("Auckland", "New Zealand", -36.85, 174.76)),
    ),
    "africa": (
        1.0,  # what the others leave: 0.03
        (City("Johannesburg", "South Africa", -26.20, 28.05), City("Nairobi", "Kenya", -1.29, 36.82)),
    ),
}
"""Share of the network and cities, per region."""

HOME = City("Frankfurt", "Germany", 50.11, 8.68)
"""Where the node itself stands."""


def place(rng: random.Random) -> tuple[str, City]:
    """A region by its share, and a city in it."""
    draw = rng.random()
    for region, (share, cities) in REGIONS.items():
        draw -= share
        if draw < 0:
            return region, cities[int(rng.random() * len(cities))]
    raise AssertionError("the shares of the regions do not add up to 1")


def distance_km(a: City, b: City) -> float:
    """Great-circle distance."""
    phi_a, phi_b = math.radians(a.latitude), math.radians(b.latitude)
    half = math.sin((phi_b - phi_a) / 2) ** 2
    half += math.cos(phi_a) * math.cos(phi_b) * math.sin(math.radians(b.longitude - a.longitude) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(half))


def round_trip_ms(city: City) -> float:
    """Usual round trip from the node: in fibre (200 km a ms) there and back, 40 % of detour, 4 ms of machines."""
    return 4.0 + 1.4 * 2 * distance_km(HOME, city) / 200.0
