//! Keys that take a word or a table.

use crate::config::{
    section::{Placed, Reading, Section, Wrong},
    tree::Value,
};

impl Section<'_> {
    /// A word, or a table of the name `table_name` that says more. It must be there; `example` is what the message
    /// shows to somebody who has not written it.
    pub(in crate::config) fn word_or_table<T>(
        &self,
        key: &'static str,
        table_name: &'static str,
        example: &str,
        word: impl FnOnce(&str) -> Result<T, Wrong>,
        table: impl FnOnce(&Section<'_>) -> Reading<T>,
    ) -> Reading<Placed<T>> {
        match self.find(key) {
            Some(node) if matches!(node.value, Value::Table(_)) => {
                self.enter(key, table_name, node, table).map(|value| Placed { value, place: node.place })
            }
            Some(node) if !matches!(node.value, Value::Text { .. }) => {
                Err(self.wrong_kind(key, node, "a word or a table"))
            }
            _ => self.required(key, example, word),
        }
    }
}
