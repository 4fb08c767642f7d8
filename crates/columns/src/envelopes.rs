//! The columns that every signal has: what the item of each row stands under.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow_schema::{DataType, Field};
use millrace_wire::view::ResourceView;

use crate::error::Error;
use crate::pairs::PairColumns;
use crate::rows::Row;
use crate::sparse::Sparse;
use crate::tables::{Shared, Table, Tables, resource_pairs};

/// Builds the columns of resources and scopes.
///
/// Rows name their resource and scope by id. Their bytes, and the attributes of a resource, stand once in each row group:
/// in its first row with that id.
#[derive(Default)]
pub(crate) struct EnvelopeColumns {
    resources: Vec<i32>,
    scopes: Vec<i32>,
    is_resource_written: Vec<bool>,
    is_scope_written: Vec<bool>,
    resource: Sparse<BinaryBuilder>,
    resource_attributes: PairColumns,
    resource_schema_url: Sparse<StringBuilder>,
    scope: Sparse<BinaryBuilder>,
    types: String,
}

impl EnvelopeColumns {
    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        let place = self.resources.len();
        self.resources.push(row.resource.cast_signed());
        self.scopes.push(row.scope.cast_signed());
        if let Some(resource) = first(
            &mut self.is_resource_written,
            &tables.resources,
            row.resource,
        ) {
            self.resource.at(place).append_value(&resource.bytes);
            self.resource_attributes
                .push(resource_pairs(&resource.bytes), &mut self.types);
            let view = ResourceView::new(&resource.bytes);
            self.resource_schema_url
                .at(place)
                .append_value(view.schema_url);
        } else {
            self.resource_attributes.push_null();
        }
        if let Some(scope) = first(&mut self.is_scope_written, &tables.scopes, row.scope) {
            self.scope.at(place).append_value(&scope.bytes);
        }
    }

    /// From now on, what stands once in each row group is written again.
    pub(crate) fn end_group(&mut self) {
        self.is_resource_written.clear();
        self.is_scope_written.clear();
    }

    pub(crate) fn finish(&mut self, tables: &Tables) -> Result<Vec<(Field, ArrayRef)>, Error> {
        let rows = self.resources.len();
        let resources = Int32Array::from(std::mem::take(&mut self.resources));
        let scopes = Int32Array::from(std::mem::take(&mut self.scopes));
        let text = |name: &str, keys: &Int32Array, table: &Table, of: fn(&Shared) -> &str| {
            dictionary(name, keys, table.entries().iter().map(of))
        };
        Ok(vec![
            text("resource_id", &resources, &tables.resources, |it| &it.id)?,
            text("service_name", &resources, &tables.resources, |it| &it.name)?,
            text("scope_id", &scopes, &tables.scopes, |it| &it.id)?,
            text("scope_name", &scopes, &tables.scopes, |it| &it.name)?,
            text("scope_version", &scopes, &tables.scopes, |it| &it.version)?,
            (
                Field::new("resource", DataType::Binary, true),
                self.resource.finish(rows),
            ),
            self.resource_attributes.finish("resource_attributes")?,
            (
                Field::new("resource_schema_url", DataType::Utf8, true),
                self.resource_schema_url.finish(rows),
            ),
            (
                Field::new("scope", DataType::Binary, true),
                self.scope.finish(rows),
            ),
        ])
    }
}

/// What stands at the index, if this is the first row of it.
fn first<'a>(written: &mut Vec<bool>, table: &'a Table, index: u32) -> Option<&'a Shared> {
    let index = index as usize;
    if written.len() <= index {
        written.resize(index + 1, false);
    }
    let is_written = written.get_mut(index)?;
    if std::mem::replace(is_written, true) {
        return None;
    }
    table.get(index as u32)
}

/// A column of few different texts.
pub(crate) fn dictionary<'a>(
    name: &str,
    keys: &Int32Array,
    texts: impl Iterator<Item = &'a str>,
) -> Result<(Field, ArrayRef), Error> {
    let values = Arc::new(StringArray::from_iter_values(texts));
    let array = DictionaryArray::try_new(keys.clone(), values)?;
    let kind = DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into());
    Ok((Field::new(name, kind, false), Arc::new(array)))
}
