//! The import table of `src/lib.rs`, enforced: a module imports only from lower lines,
//! and none within its own.
//!
//! The table is read out of the crate's own documentation, so there is one. The code is
//! parsed, not searched: comments and strings do not count, nested `use` trees, paths in
//! expressions, types and macro arguments, and `super::` that climbs to the root do.
//! Modules are followed from `lib.rs` as the compiler does; what is `#[cfg(test)]` may
//! import what it likes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{Attribute, Item, UseTree, visit, visit::Visit};

mod planted;

#[test]
fn modules_import_only_from_lower_lines() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let faults = faults(&|file| fs::read_to_string(src.join(file)).ok());
    assert!(faults.is_empty(), "the import table of src/lib.rs does not hold:\n{}", faults.join("\n"));
}

/// Every way in which a crate departs from its table. `read` gives a file below `src`.
fn faults(read: &dyn Fn(&Path) -> Option<String>) -> Vec<String> {
    let root = parse(Path::new("lib.rs"), &read(Path::new("lib.rs")).expect("a crate has a lib.rs"));
    let lines = table(&root.attrs);
    let mut faults = Vec::new();
    let modules: BTreeSet<_> = root.items.iter().filter_map(module_of_the_product).collect();
    for module in modules.iter().filter(|module| !lines.contains_key(*module)) {
        faults.push(format!("lib.rs: `{module}` stands in no line"));
    }
    for module in lines.keys().filter(|module| !modules.contains(*module)) {
        faults.push(format!("lib.rs: `{module}` stands in the table and does not exist"));
    }
    for module in modules {
        let mut imports = Imports { read, place: vec![module.clone()], file: PathBuf::new(), found: Vec::new() };
        imports.file_of_the_place();
        let judge = |import: &Import| fault(&lines, &module, import);
        faults.extend(imports.found.iter().filter_map(judge));
    }
    faults.dedup(); // `use crate::session::{A, B}` is one import to mend
    faults
}

/// What is wrong with one import, if anything.
fn fault(lines: &BTreeMap<String, u32>, module: &str, import: &Import) -> Option<String> {
    let Import { file, line, what } = import;
    let place = format!("{}:{line}", file.display());
    match what {
        Imported::Module(name) if name == module => None,
        Imported::Module(name) => match (lines.get(module), lines.get(name)) {
            (Some(own), Some(other)) if other < own => None,
            (Some(own), Some(other)) => {
                Some(format!("{place}: `{module}` (line {own}) imports `{name}` (line {other}), which is not below it"))
            }
            (Some(_), None) => Some(format!("{place}: `{module}` imports `crate::{name}`, which stands in no line")),
            (None, _) => None, // said once, for the module
        },
        Imported::Everything => {
            Some(format!("{place}: `{module}` imports the crate as a whole, and with it every line"))
        }
        Imported::Unreadable(why) => Some(format!("{place}: {why}")),
    }
}

/// Module → line, from rows such as ``//! | 1 | [`seal`] [`meter`] |``.
fn table(attributes: &[Attribute]) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    for row in attributes.iter().filter_map(documentation) {
        let mut cells = row.trim().trim_matches('|').split('|');
        let Some(line) = cells.next().and_then(|cell| cell.trim().parse().ok()) else { continue };
        for name in cells.next().unwrap_or_default().split("[`").skip(1).filter_map(|rest| rest.split_once("`]")) {
            assert!(lines.insert(name.0.to_owned(), line).is_none(), "`{}` stands in the table twice", name.0);
        }
    }
    assert!(!lines.is_empty(), "lib.rs documents no import table");
    lines
}

fn documentation(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) if pair.path.is_ident("doc") => {
            Some(text.value())
        }
        _ => None,
    }
}

fn module_of_the_product(item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if !for_tests(&module.attrs) => Some(module.ident.to_string()),
        _ => None,
    }
}

/// `#[cfg(test)]`, alone or as a condition that all builds of it need.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let mut found = false;
        let parsed = attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("test") {
                found = true;
            } else if meta.path.is_ident("all") {
                meta.parse_nested_meta(|inner| {
                    found |= inner.path.is_ident("test");
                    skip_the_rest(&inner)
                })?;
            } else {
                skip_the_rest(&meta)?;
            }
            Ok(())
        });
        parsed.is_ok() && found
    })
}

/// `feature = "x"`, `not(…)`: conditions that say nothing about tests.
fn skip_the_rest(meta: &syn::meta::ParseNestedMeta<'_>) -> syn::Result<()> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<syn::Lit>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inner;
        syn::parenthesized!(inner in meta.input);
        inner.parse::<TokenStream>()?;
    }
    Ok(())
}

fn parse(file: &Path, text: &str) -> syn::File {
    syn::parse_file(text).unwrap_or_else(|e| panic!("{}:{}: {e}", file.display(), e.span().start().line))
}

/// Something that a module names.
struct Import {
    file: PathBuf,
    line: usize,
    what: Imported,
}

enum Imported {
    /// `crate::name`, however it is spelled.
    Module(String),
    /// `use crate::*`, `use crate as x`.
    Everything,
    /// What this test does not follow.
    Unreadable(&'static str),
}

/// Walks a module and everything below it.
struct Imports<'a> {
    read: &'a dyn Fn(&Path) -> Option<String>,
    /// Where we are: the names of the modules from the root.
    place: Vec<String>,
    file: PathBuf,
    found: Vec<Import>,
}

impl Imports<'_> {
    /// Reads the file of the module at `place` and walks it.
    fn file_of_the_place(&mut self) {
        let file = self.place.iter().collect::<PathBuf>().with_extension("rs");
        let text = (self.read)(&file).unwrap_or_else(|| panic!("src/{} is missing", file.display()));
        let outer = std::mem::replace(&mut self.file, file);
        let parsed = parse(&self.file, &text);
        if !for_tests(&parsed.attrs) {
            self.visit_file(&parsed);
        }
        self.file = outer;
    }

    fn found(&mut self, at: &Ident, what: Imported) {
        self.found.push(Import { file: self.file.clone(), line: at.span().start().line, what });
    }

    /// Notes where a path leads, given its names.
    fn path(&mut self, names: &[&Ident]) {
        if let Some((at, rest)) = self.rooted(names) {
            match rest {
                Some(name) => self.found(at, Imported::Module(name)),
                // `pub(crate)`, or a root that is imported whole.
                None if names.len() > 1 => self.found(at, Imported::Everything),
                None => {}
            }
        }
    }

    /// Where a path leads that starts at the crate's root: the name behind it, if any.
    fn rooted<'i>(&self, names: &[&'i Ident]) -> Option<(&'i Ident, Option<String>)> {
        let first = *names.first()?;
        let mut rest = names;
        if first == "crate" {
            rest = &names[1..];
        } else {
            let climbed = names.iter().skip_while(|name| **name == "self").take_while(|name| **name == "super").count();
            if climbed < self.place.len() {
                return None; // stays within the module, or names another crate
            }
            while rest.first().is_some_and(|name| *name == "self" || *name == "super") {
                rest = &rest[1..];
            }
        }
        Some((first, rest.first().map(ToString::to_string)))
    }

    fn tree<'t>(&mut self, leading: &mut Vec<&'t Ident>, tree: &'t UseTree) {
        match tree {
            UseTree::Path(path) => {
                leading.push(&path.ident);
                self.tree(leading, &path.tree);
                leading.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(leading, tree)),
            UseTree::Name(syn::UseName { ident }) | UseTree::Rename(syn::UseRename { ident, .. }) => {
                if ident == "self" || ident == "crate" || ident == "super" {
                    // `use crate::{self as root}`, `use super as root`
                    leading.push(ident);
                    let names: Vec<_> = leading.iter().copied().filter(|name| *name != "self").collect();
                    if let Some((at, rest)) = self.rooted(&names) {
                        self.found(at, rest.map_or(Imported::Everything, Imported::Module));
                    }
                } else {
                    leading.push(ident);
                    self.path(leading);
                }
                leading.pop();
            }
            UseTree::Glob(_) => {
                if let Some((at, rest)) = self.rooted(leading) {
                    self.found(at, rest.map_or(Imported::Everything, Imported::Module));
                }
            }
        }
    }

    /// The arguments of a macro are not parsed before it is expanded: paths are found by their tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut names: Vec<&Ident> = Vec::new();
        let mut colons = 0;
        for token in &tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !names.is_empty() => colons += 1,
                TokenTree::Ident(name) if colons == 2 => {
                    names.push(name);
                    colons = 0;
                }
                _ => {
                    self.path(&std::mem::take(&mut names));
                    colons = 0;
                    match token {
                        TokenTree::Ident(name) => names.push(name),
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.path(&names);
    }
}

impl<'ast> Visit<'ast> for Imports<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if for_tests(&module.attrs) => {}
            Item::Mod(module) if module.attrs.iter().any(|attribute| attribute.path().is_ident("path")) => {
                self.found(&module.ident, Imported::Unreadable("#[path] hides where a module lives"));
            }
            Item::Mod(module) => {
                self.place.push(module.ident.to_string());
                if module.content.is_some() {
                    visit::visit_item_mod(self, module);
                } else {
                    self.file_of_the_place();
                }
                self.place.pop();
            }
            Item::Fn(syn::ItemFn { attrs, .. })
            | Item::Impl(syn::ItemImpl { attrs, .. })
            | Item::Use(syn::ItemUse { attrs, .. })
            | Item::Struct(syn::ItemStruct { attrs, .. })
            | Item::Enum(syn::ItemEnum { attrs, .. })
            | Item::Trait(syn::ItemTrait { attrs, .. })
            | Item::Const(syn::ItemConst { attrs, .. })
            | Item::Static(syn::ItemStatic { attrs, .. })
            | Item::Type(syn::ItemType { attrs, .. })
            | Item::Macro(syn::ItemMacro { attrs, .. })
                if for_tests(attrs) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item_fn(&mut self, method: &'ast syn::ImplItemFn) {
        if !for_tests(&method.attrs) {
            visit::visit_impl_item_fn(self, method);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(&path.segments.iter().map(|segment| &segment.ident).collect::<Vec<_>>());
        visit::visit_path(self, path); // generic arguments have paths of their own
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        self.tokens(invocation.tokens.clone());
    }
}
