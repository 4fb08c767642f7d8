"""The answer to a query, in the form that its reader wants."""

from typing import TYPE_CHECKING, Any

from millrace.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Result"]


class Result:
    """Rows of named columns, fetched completely.

    Attributes:
        columns: Their names.
        types: Their types, as DuckDB writes them.
    """

    def __init__(self, columns: list[str], types: list[str], rows: list[tuple[Any, ...]]) -> None:
        self.columns = columns
        self.types = types
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> list[dict[str, Any]]:
        """Return each row as a dictionary by the names of the columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self._rows]

    def tuples(self) -> list[tuple[Any, ...]]:
        """Return each row as a tuple."""
        return self._rows

    def arrow(self) -> "pa.Table":
        """Return an Arrow table, with the types of the query; needs pyarrow.

        Raises:
            millrace.errors.StoreError: pyarrow is not installed; or a column has values of several types.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415 - optional, and heavy
        except ImportError as error:
            raise StoreError("Arrow tables need pyarrow: pip install pyarrow") from error
        columns = []
        for at, (name, kind) in enumerate(zip(self.columns, self.types, strict=True)):
            values = [row[at] for row in self._rows]
            try:
                columns.append(_column(pa, kind, values))
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                message = f"the column {name} has values of several types, which no column of Arrow can hold"
                raise StoreError(f"{message}: cast it in the query, as in CAST({name} AS VARCHAR)") from error
        return pa.Table.from_arrays(columns, names=self.columns)

    def pandas(self) -> "pd.DataFrame":
        """Return a data frame; needs pandas.

        Raises:
            millrace.errors.StoreError: pandas is not installed.
        """
        try:
            import pandas as pd  # noqa: PLC0415 - optional, and heavy
        except ImportError as error:
            raise StoreError("data frames need pandas: pip install pandas") from error
        return pd.DataFrame(self._rows, columns=self.columns)


_ARROW = {
    "VARCHAR": "string",
    "BOOLEAN": "bool",
    "DOUBLE": "double",
    "FLOAT": "float",
    "TINYINT": "int8",
    "SMALLINT": "int16",
    "INTEGER": "int32",
    "BIGINT": "int64",
    "UTINYINT": "uint8",
    "USMALLINT": "uint16",
    "UINTEGER": "uint32",
    "UBIGINT": "uint64",
    "BLOB": "binary",
    "TIMESTAMP_NS": "timestamp[ns]",
}
_MAP = "MAP(VARCHAR, VARCHAR)"


def _column(pa: Any, kind: str, values: list[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types of its own
    """Make a column of the same type in Arrow, or, where that has no name there, of the type that its values have."""
    if kind == _MAP:
        items = [None if value is None else list(value.items()) for value in values]
        return pa.array(items, pa.map_(pa.string(), pa.string()))
    return pa.array(values, pa.type_for_alias(_ARROW[kind]) if kind in _ARROW else None)
