//! x

mod layering;
