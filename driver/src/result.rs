//! What a completion carries: the rows as the node sent them, by pointers into the received frame, or a message.
use std::ffi::{CString, c_void};
use std::ptr;

use scylla::deserialize::row::ColumnIterator;
use scylla::response::PagingState;
use scylla::response::PagingStateResponse;
use scylla::response::query_result::{QueryResult, QueryRowsResult};

use crate::abi::{Cell, Status};
use crate::outcome::Failure;

/// The length that stands before the bytes of a cell.
const CELL_BYTES_MIN: usize = 4;

#[derive(Default)]
pub struct CqlResult {
    /// Holds the frame that the cells point into.
    #[allow(dead_code)]
    rows: Option<QueryRowsResult>,
    cells: Vec<Cell>,
    row_count: u64,
    column_names: Vec<CString>,
    paging_state: Option<PagingState>,
    message: Option<CString>,
}

// The cells point into `rows`, which is immutable and moves between threads itself.
unsafe impl Send for CqlResult {}

impl CqlResult {
    pub fn message_only(message: &str) -> Box<Self> {
        let text = CString::new(message.replace('\0', " ")).unwrap_or_default();
        Box::new(CqlResult { message: Some(text), ..CqlResult::default() })
    }

    /// None when the answer has no rows at all, such as that of an INSERT.
    pub fn of_answer(answer: QueryResult, paging: PagingStateResponse) -> Result<Option<Box<Self>>, Failure> {
        if !answer.is_rows() {
            return Ok(None);
        }
        let unreadable =
            |error: &dyn std::fmt::Display| Failure::new(Status::Server, format!("unreadable rows: {error}"));
        let rows = answer.into_rows_result().map_err(|error| unreadable(&error))?;
        let column_names: Vec<CString> =
            rows.column_specs().iter().map(|spec| CString::new(spec.name()).unwrap_or_default()).collect();
        let mut cells = room_for_cells(rows.rows_num(), column_names.len(), rows.rows_bytes_size())?;
        let mut row_count = 0;
        for row in rows.rows::<ColumnIterator>().map_err(|error| unreadable(&error))? {
            for column in row.map_err(|error| unreadable(&error))? {
                let slice = column.map_err(|error| unreadable(&error))?.slice;
                cells.push(match slice {
                    None => Cell { data: ptr::null(), size: -1 },
                    Some(slice) => {
                        Cell { data: slice.as_slice().as_ptr().cast::<c_void>(), size: slice.as_slice().len() as i64 }
                    }
                });
            }
            row_count += 1;
        }
        let paging_state = match paging {
            PagingStateResponse::HasMorePages { state } => Some(state),
            PagingStateResponse::NoMorePages => None,
        };
        Ok(Some(Box::new(CqlResult { rows: Some(rows), cells, row_count, column_names, paging_state, message: None })))
    }

    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    pub fn column_count(&self) -> u32 {
        self.column_names.len() as u32
    }

    pub fn row(&self, row: u64) -> *const Cell {
        if row >= self.row_count || self.column_names.is_empty() {
            return ptr::null();
        }
        self.cells[row as usize * self.column_names.len()..].as_ptr()
    }

    pub fn column_name(&self, column: u32) -> Option<&CString> {
        self.column_names.get(column as usize)
    }

    pub fn paging_state(&self) -> Option<&[u8]> {
        self.paging_state.as_ref().and_then(|state| state.as_bytes_slice()).map(|bytes| &bytes[..])
    }

    pub fn message(&self) -> Option<&CString> {
        self.message.as_ref()
    }
}

/// A frame says itself how many rows it has, and may lie: no more room is made than its bytes can fill.
fn room_for_cells(rows: usize, columns: usize, bytes: usize) -> Result<Vec<Cell>, Failure> {
    let count = rows.checked_mul(columns).filter(|count| *count <= bytes / CELL_BYTES_MIN).ok_or_else(|| {
        let why = format!("unreadable rows: {bytes} bytes cannot hold {rows} rows of {columns} columns");
        Failure::new(Status::Server, why)
    })?;
    let mut cells = Vec::new();
    cells.try_reserve_exact(count).map_err(|error| Failure::new(Status::NoResources, error.to_string()))?;
    Ok(cells)
}
