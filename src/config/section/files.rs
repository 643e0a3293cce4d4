//! Keys whose value is in a file: paths, secrets with their `_file` twin, texts.

use std::path::PathBuf;

use crate::{
    config::{
        fault::{Fault, Reported},
        section::{Placed, Reading, Section, Wrong, show_path},
        source::{self, FileError, MAX_NAMED_FILE},
    },
    secret::Secret,
};

impl Section<'_> {
    /// The path of a file, below the folder of the configuration file where it is relative.
    pub(in crate::config) fn path(&self, key: &'static str) -> Reading<Option<Placed<PathBuf>>> {
        let path = self.optional(key, |text| {
            if text.contains(['\n', '\0']) {
                return Err(Wrong::new("must be the path of a file").help("the file's content does not belong here"));
            }
            Ok(text.to_owned())
        })?;
        Ok(path.map(|path| Placed { value: self.report.source(path.place.source).resolve(&path), place: path.place }))
    }

    /// A secret, written here or in a file: value or `_file`, never both. One trailing newline of the file is cut.
    /// The text of a secret that is empty is a fault: the operator meant to give one.
    pub(in crate::config) fn secret<T>(
        &self,
        key: &'static str,
        key_file: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Reading<Option<Placed<T>>> {
        let value = self.find(key);
        let file = self.path(key_file);
        if let (Some(value), Ok(Some(file))) = (value, &file) {
            return Err(self.report.add(
                Fault::at(file.place, format!("`{key}` and `{key_file}` are both set"))
                    .related(value.place, "the value")
                    .help("keep one of the two; the file is the safer one"),
            ));
        }
        let parse = |text: &str| if text.is_empty() { Err(Wrong::new("is empty")) } else { parse(text) };
        match (value, file?) {
            (Some(node), _) => self.parse_text(key, node, parse).map(Some),
            (None, Some(file)) => {
                let text = Secret::new(self.read_file(key_file, &file)?);
                let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
                let line = line.strip_suffix('\r').unwrap_or(line);
                let value = parse(line)
                    .map_err(|wrong| self.report.add(wrong.at(file.place, format_args!("the file of `{key_file}`"))))?;
                Ok(Some(Placed { value, place: file.place }))
            }
            (None, None) => Ok(None),
        }
    }

    /// The text of a file that a key names.
    pub(in crate::config) fn read_file(&self, key: &str, path: &Placed<PathBuf>) -> Reading<String> {
        source::read_text(path, MAX_NAMED_FILE).map_err(|error| self.unreadable(key, path, &error))
    }

    fn unreadable(&self, key: &str, path: &Placed<PathBuf>, error: &FileError) -> Reported {
        let fault = Fault::at(path.place, format!("cannot read the file of `{key}`: {error}"));
        self.report.add(fault.label(format!("read as {}", show_path(path))))
    }
}
