//! A record as one flat JSON object on a line: `timestamp`, `level`, `target`, `message`, then the fields.
//!
//! Reading is for lines of child processes and believes nothing: what is not exactly such an object is no record, and what is
//! one is bounded as every record is. The caller bounds the line.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::Level;

use super::{MAX_FIELDS, Record, Text, Value};

impl Record {
    /// Appends the record to `out` as a line, its end included.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        let start = out.len();
        // Neither a map of texts and numbers nor memory can refuse.
        if serde_json::to_writer(&mut *out, self).is_err() {
            out.truncate(start);
            return;
        }
        out.push(b'\n');
    }

    /// The record that stands on `line`; nothing when something else does.
    pub fn parse(line: &[u8]) -> Option<Self> {
        // Most of what is no record is recognised by its first byte.
        if line.first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(line).ok()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4 + self.fields.len()))?;
        map.serialize_entry("timestamp", &Nanoseconds(self.timestamp))?;
        map.serialize_entry("level", self.level.as_str())?;
        map.serialize_entry("target", &self.target)?;
        map.serialize_entry("message", &self.message)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Always nine digits after the point, so that times sort as text.
struct Nanoseconds(Timestamp);

impl Serialize for Nanoseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.9}", self.0))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Float(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Float(value) => serializer.collect_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record of a log")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
        let (mut timestamp, mut level, mut target, mut message) = (None, None, None, None);
        let mut fields: Vec<(String, Value)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "timestamp" => timestamp = Some(map.next_value::<String>()?),
                "level" => level = Some(map.next_value::<String>()?),
                "target" => target = Some(map.next_value::<String>()?),
                "message" => message = Some(map.next_value::<String>()?),
                _ if fields.len() < MAX_FIELDS => fields.push((name, map.next_value()?)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let timestamp: Timestamp = timestamp
            .ok_or_else(|| A::Error::missing_field("timestamp"))?
            .parse()
            .map_err(A::Error::custom)?;
        let level: Level = level
            .ok_or_else(|| A::Error::missing_field("level"))?
            .parse()
            .map_err(A::Error::custom)?;
        let mut record = Record::new(
            timestamp,
            level,
            target.ok_or_else(|| A::Error::missing_field("target"))?,
            message.ok_or_else(|| A::Error::missing_field("message"))?,
        );
        for (name, value) in fields {
            record.set(name, value);
        }
        Ok(record)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text, a number or a boolean")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.to_owned().into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(Text::Owned(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }
}
