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
        """Return an Arrow table; needs pyarrow.

        Raises:
            millrace.errors.StoreError: pyarrow is not installed.
        """
        try:
            import pyarrow as pa  # noqa: PLC0415 - optional, and heavy
        except ImportError as error:
            raise StoreError("Arrow tables need pyarrow: pip install pyarrow") from error
        return pa.table({name: [row[at] for row in self._rows] for at, name in enumerate(self.columns)})

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
