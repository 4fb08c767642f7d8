//! The columns that every signal has: what the item of each row stands under.

use millrace_wire::view::ResourceView;

use crate::column::Column;
use crate::error::Error;
use crate::leaf::{Leaf, Use};
use crate::pairs::PairColumns;
use crate::rows::Row;
use crate::tables::{Shared, Table, Tables, resource_pairs};

/// Builds the columns of resources and scopes.
///
/// Rows name their resource and scope by id. Their bytes, and the attributes of a resource, stand once in each row group:
/// in its first row with that id.
pub(crate) struct EnvelopeColumns {
    resource_id: Leaf,
    service_name: Leaf,
    scope_id: Leaf,
    scope_name: Leaf,
    scope_version: Leaf,
    /// Of the row before this one. Mostly this row has the same.
    last_resource: Option<u32>,
    last_scope: Option<u32>,
    is_resource_written: Vec<bool>,
    is_scope_written: Vec<bool>,
    resource: Leaf,
    resource_attributes: PairColumns,
    resource_schema_url: Leaf,
    scope: Leaf,
    types: String,
    rows: usize,
}

impl Default for EnvelopeColumns {
    fn default() -> Self {
        Self {
            resource_id: Leaf::required(Use::Known),
            service_name: Leaf::required(Use::Name),
            scope_id: Leaf::required(Use::Known),
            scope_name: Leaf::required(Use::Known),
            scope_version: Leaf::required(Use::Known),
            last_resource: None,
            last_scope: None,
            is_resource_written: Vec::new(),
            is_scope_written: Vec::new(),
            resource: Leaf::optional(Use::Text),
            resource_attributes: PairColumns::default(),
            resource_schema_url: Leaf::optional(Use::Text),
            scope: Leaf::optional(Use::Text),
            types: String::new(),
            rows: 0,
        }
    }
}

impl EnvelopeColumns {
    pub(crate) fn push(&mut self, tables: &Tables, row: &Row<'_>) {
        let place = self.rows;
        self.rows += 1;
        if self.last_resource == Some(row.resource) {
            self.resource_id.repeat(place);
            self.service_name.repeat(place);
        } else if let Some(resource) = tables.resources.get(row.resource) {
            self.last_resource = Some(row.resource);
            self.resource_id.put(place, resource.id.as_bytes());
            self.service_name.put(place, resource.name.as_bytes());
        }
        if self.last_scope == Some(row.scope) {
            self.scope_id.repeat(place);
            self.scope_name.repeat(place);
            self.scope_version.repeat(place);
        } else if let Some(scope) = tables.scopes.get(row.scope) {
            self.last_scope = Some(row.scope);
            self.scope_id.put(place, scope.id.as_bytes());
            self.scope_name.put(place, scope.name.as_bytes());
            self.scope_version.put(place, scope.version.as_bytes());
        }
        if let Some(resource) = first(
            &mut self.is_resource_written,
            &tables.resources,
            row.resource,
        ) {
            self.resource.put(place, &resource.bytes);
            self.resource_attributes
                .push(resource_pairs(&resource.bytes), &mut self.types);
            let view = ResourceView::new(&resource.bytes);
            self.resource_schema_url
                .put(place, view.schema_url.as_bytes());
        } else {
            self.resource_attributes.push_null();
        }
        if let Some(scope) = first(&mut self.is_scope_written, &tables.scopes, row.scope) {
            self.scope.put(place, &scope.bytes);
        }
    }

    /// From now on, what stands once in each row group is written again.
    pub(crate) fn end_group(&mut self) {
        self.is_resource_written.clear();
        self.is_scope_written.clear();
        (self.last_resource, self.last_scope) = (None, None);
        self.rows = 0;
    }

    pub(crate) fn finish(&mut self) -> Result<Vec<Column<'_>>, Error> {
        Ok(vec![
            Column::text("resource_id", &mut self.resource_id),
            Column::text("service_name", &mut self.service_name),
            Column::text("scope_id", &mut self.scope_id),
            Column::text("scope_name", &mut self.scope_name),
            Column::text("scope_version", &mut self.scope_version),
            Column::bytes("resource", &mut self.resource),
            Column::array(self.resource_attributes.finish("resource_attributes")?),
            Column::text("resource_schema_url", &mut self.resource_schema_url),
            Column::bytes("scope", &mut self.scope),
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
