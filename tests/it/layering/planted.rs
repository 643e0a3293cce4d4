//! A small crate with a table, into which faults are planted one at a time.

use std::path::Path;

const LIB: &str = "
    //! | line | modules |
    //! |---|---|
    //! | 0 | [`ground`] |
    //! | 3 | [`left`] [`right`] |
    //! | 4 | [`roof`] |
    pub mod ground;
    pub mod left;
    pub mod right;
    pub mod roof;
    #[cfg(test)]
    mod fixtures;
";

/// What is said of the crate when `left.rs` and a file below it read like this.
fn said(lib: &str, left: &str, left_inner: &str) -> Vec<String> {
    super::faults(&|file: &Path| {
        let text = match file.to_str()? {
            "lib.rs" => lib,
            "left.rs" => left,
            "left/inner.rs" => left_inner,
            "ground.rs" | "right.rs" => "",
            "roof.rs" => "use crate::{ground::G, left, right::{self, R}};",
            _ => return None,
        };
        Some(text.to_owned())
    })
}

#[test]
fn every_spelling_of_an_import_is_found() {
    for left in [
        "use crate::right;",
        "use crate::right::R;",
        "use crate::right as other;",
        "use crate::{ground::G, right::{R, S}};",
        "use crate::right::*;",
        "use super::right::R;",
        "use {super::{right::{self}}};",
        "pub use crate::roof::Roof;",
        "use crate::*;",
        "use crate as root;",
        "use crate::{self as root};",
        "use super::*;",
        "fn f() { crate::right::run() }",
        "fn f(x: &crate::right::R) {}",
        "fn f(x: Vec<Option<crate::right::R>>) {}",
        "fn f() -> impl crate::right::T { 0 }",
        "impl crate::right::T for () {}",
        "fn f(x: u8) { match x { crate::right::R => {} _ => {} } }",
        "fn f() { println!(\"{}\", crate::right::run()) }",
        "fn f() { vec![vec![super::right::R]]; }",
        "macro_rules! m { () => { $crate::right::run() } }",
        "fn f() { crate::right::m!() }",
        "mod inline { use super::super::right; }",
        "mod inline { fn f() { super::super::right::run() } }",
        "#[cfg(not(test))] use crate::right;",
        "#[cfg(any(test, unix))] use crate::right;",
        "use crate::nowhere;",
        "#[path = \"right.rs\"] mod inner;",
    ] {
        let said = said(LIB, left, "");
        assert_eq!(said.len(), 1, "{left}: {said:?}");
        assert!(said[0].starts_with("left.rs:1: "), "{left}: {said:?}");
    }
}

#[test]
fn files_below_a_module_belong_to_it() {
    for inner in ["use crate::right;", "use super::super::right;"] {
        let said = said(LIB, "mod inner;", inner);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("left/inner.rs:1: `left` (line 3) imports `right` (line 3)"), "{said:?}");
    }
}

#[test]
fn what_is_no_import_is_none() {
    for left in [
        "use crate::ground::{self, G};",
        "use crate::left::L;",
        "use self::inner::I; mod inner { use super::L; pub(super) use super::super::ground; }",
        "pub(crate) struct L; pub(super) struct M;",
        "// use crate::right;",
        "/* crate::right */ /// crate::right\nfn f() {}",
        "//! See [`crate::right`].",
        "fn f() { println!(\"crate::right {}\", 1) }",
        "fn right() {} fn f() { right(); self::right() }",
        "#[cfg(test)] mod tests { use crate::roof::Roof; use super::*; }",
        "#[cfg(test)] mod tests;",
        "#[cfg(all(test, unix))] use crate::right;",
        "#[cfg(test)] impl crate::right::T for () {}",
        "struct L; impl L { #[cfg(test)] fn f() { crate::right::run() } }",
        "mod inner;",
        "use std::right; fn f() { ::right::run() }",
    ] {
        let said = said(LIB, left, "#![cfg(test)] use crate::right;");
        assert!(said.is_empty(), "{left}: {said:?}");
    }
}

#[test]
fn the_table_and_the_modules_name_each_other() {
    let unlisted = LIB.replace(" [`right`] |", " |");
    assert!(said(&unlisted, "", "").contains(&"lib.rs: `right` stands in no line".to_owned()));
    let missing = LIB.replace("pub mod right;", "");
    assert!(said(&missing, "", "").contains(&"lib.rs: `right` stands in the table and does not exist".to_owned()));
}
