//! One event, one line: its fields and those of the spans around it at the top level.

use std::{error::Error, fmt};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    layer::{Context, Layer},
    registry::LookupSpan,
};

use crate::meter::{Lane, Line, LineFormat, Literal};

/// The layer that writes events.
pub(super) struct EventLines<T> {
    lane: Lane,
    format: LineFormat,
    unix_millis: T,
}

impl<T> EventLines<T> {
    pub(super) fn new(lane: Lane, format: LineFormat, unix_millis: T) -> Self {
        Self { lane, format, unix_millis }
    }
}

impl<S, T> Layer<S> for EventLines<T>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    T: Fn() -> i64 + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // Everything is formatted before the lane is entered: a `Debug` of somebody else may log, too.
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        let metadata = event.metadata();
        let unix_millis = (self.unix_millis)();
        self.lane.append(|out, time| {
            let mut line = Line::begin(out, self.format, time, unix_millis, *metadata.level(), &fields.message);
            line.text("target", metadata.target());
            for (name, value) in &fields.named {
                match value {
                    Value::Text(text) => line.text(*name, text),
                    Value::Number(number) => line.number(*name, *number),
                    Value::Literal(literal) => line.literal(*name, *literal),
                }
            }
            line.end();
        });
    }
}

/// What an event or a span says, each name once.
#[derive(Default)]
struct Fields {
    message: String,
    named: Vec<(&'static str, Value)>,
}

#[derive(Clone)]
enum Value {
    Text(String),
    Number(u64),
    Literal(Literal),
}

impl Fields {
    /// Adds what an outer span says and nothing nearer has said; a span's message is its own.
    fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.named {
            if !self.named.iter().any(|(known, _)| known == name) {
                self.named.push((name, value.clone()));
            }
        }
    }

    fn set(&mut self, field: &Field, value: Value) {
        // The names that each line has already; a JSON object with a name twice means different things to different readers.
        let name = match field.name() {
            "time" => "field_time",
            "level" => "field_level",
            "target" => "field_target",
            name => name,
        };
        match (name, value) {
            ("message", Value::Text(text)) => self.message = text,
            ("message", value) => self.named.push(("field_message", value)),
            (name, value) => match self.named.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => self.named.push((name, value)),
            },
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, Value::Text(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::Text(value.to_owned()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Number(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::Literal(value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::Literal(value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Literal(value.into()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.set(field, Value::Text(text));
    }
}
