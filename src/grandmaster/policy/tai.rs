//! TAI - UTC: what each source says, and what two of them agree on.

use std::fmt;

/// TAI - UTC in seconds from each source that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaiSources {
    /// The kernel, as adjtimex(2) shows it.
    pub kernel: Option<i64>,
    /// The leap second table, unless it has expired.
    pub table: Option<i64>,
    /// The receiver.
    pub receiver: Option<i64>,
}

impl TaiSources {
    /// What two of the three agree on. One source alone can be stale or a default.
    pub(crate) fn agreed(self) -> Option<i64> {
        match (self.kernel, self.table, self.receiver) {
            (Some(kernel), Some(table), _) if kernel == table => Some(kernel),
            (Some(kernel), _, Some(receiver)) if kernel == receiver => Some(kernel),
            (_, Some(table), Some(receiver)) if table == receiver => Some(table),
            _ => None,
        }
    }
}

/// `kernel 37, leap second table none, receiver none`
impl fmt::Display for TaiSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |seconds: Option<i64>| seconds.map_or_else(|| "none".to_owned(), |seconds| seconds.to_string());
        let [kernel, table, receiver] = [self.kernel, self.table, self.receiver].map(shown);
        write!(f, "kernel {kernel}, leap second table {table}, receiver {receiver}")
    }
}
