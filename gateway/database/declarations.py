"""The declarative base of every table, and column types that both databases have alike."""

from typing import Annotated, Any, ClassVar

from sqlalchemy import BigInteger, LargeBinary, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

Long = Annotated[int, "64 bits"]
NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Of all tables of the gateway. Python's `int` is 64 bits wide, `bytes` sort bytewise."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
    }
