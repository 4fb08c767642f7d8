//! What can go wrong between telemetry and files.

use std::fmt;

/// A file that cannot be written, or bytes that are no file of a store.
#[derive(Debug)]
pub enum Error {
    /// The system refused to read or write.
    Io(std::io::Error),
    /// The file is not Parquet, is damaged, or was not written by a store.
    Damaged(String),
}

impl Error {
    /// A file of another shape than ours.
    pub(crate) fn damaged(sentence: impl Into<String>) -> Self {
        Self::Damaged(sentence.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(formatter, "{error}"),
            Self::Damaged(sentence) => formatter.write_str(sentence),
        }
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<parquet::errors::ParquetError> for Error {
    fn from(error: parquet::errors::ParquetError) -> Self {
        use parquet::errors::ParquetError;
        match error {
            ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
                Ok(inner) => Self::Io(*inner),
                Err(inner) => Self::Damaged(inner.to_string()),
            },
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<arrow_schema::ArrowError> for Error {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Damaged(error.to_string())
    }
}
