//! Turns what the program and its libraries tell `tracing` into records: an event's fields, then those of the spans around it.
//!
//! An event with a field `extension` is that extension's, and gets its own target, `extension.<name>`.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::log::Log;
use super::record::{Record, Text, Value, bounded};

/// The field that says whose event it is, and the first part of such a target.
pub(super) const EXTENSION: &str = "extension";

pub(super) struct RecordLayer {
    log: Log,
}

impl RecordLayer {
    pub(super) fn new(log: Log) -> Self {
        Self { log }
    }

    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let level = *metadata.level();
        // Which target such an event will have shows only when it happens; and a span is wanted for the events within.
        if metadata.is_span() || metadata.fields().field(EXTENSION).is_some() {
            return LevelFilter::from_level(level) <= self.log.most();
        }
        self.log.wants(metadata.target(), level)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RecordLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.log.most())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let target: Text = match fields.extension() {
            Some(name) => format!("{EXTENSION}.{name}").into(),
            None => metadata.target().into(),
        };
        let message = fields.message.unwrap_or_default();
        let mut record = Record::now(*metadata.level(), target, message);
        for (name, value) in fields.others {
            record.set(name, value);
        }
        // From the innermost span out: the first value of a name stays.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                for (name, value) in &fields.others {
                    record.set(*name, value.clone());
                }
            }
        }
        self.log.submit(&record);
    }
}

#[derive(Default)]
struct Fields {
    message: Option<Text>,
    others: Vec<(&'static str, Value)>,
}

impl Fields {
    fn extension(&self) -> Option<&str> {
        self.others.iter().find_map(|(name, value)| match value {
            Value::Text(text) if *name == EXTENSION => Some(&**text),
            _ => None,
        })
    }

    fn text(&mut self, field: &Field, text: Text) {
        if field.name() == "message" {
            self.message = Some(text);
        } else {
            self.value(field, Value::Text(text));
        }
    }

    /// A later value of a span's field replaces the earlier.
    fn value(&mut self, field: &Field, value: Value) {
        let name = field.name();
        match self.others.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.others.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, bounded(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, bounded(format_args!("{value}")));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.value(field, value.into());
    }
}

#[cfg(test)]
mod tests;
