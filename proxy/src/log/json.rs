//! Log lines as JSON, one object a line, with the keys of `tracing-subscriber`'s
//! own `json` format (which would bring serde and its JSON crate for this file).

use std::fmt::{self, Write};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// `{"timestamp":..,"level":..,"fields":{"message":..,..},"target":..,"spans":[..]}`
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\",\"fields\":{{", meta.level())?;
        let mut fields = Fields {
            writer: &mut writer,
            first: true,
            result: Ok(()),
        };
        event.record(&mut fields);
        fields.result?;
        writer.write_str("},\"target\":")?;
        string(&mut writer, meta.target())?;
        spans(ctx, &mut writer)?;
        writer.write_str("}\n")
    }
}

/// Spans from the root, each as the plain format shows it: `name{field=value}`.
fn spans<S, N>(ctx: &FmtContext<'_, S, N>, writer: &mut Writer<'_>) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let Some(scope) = ctx.event_scope() else {
        return Ok(());
    };
    writer.write_str(",\"spans\":[")?;
    for (at, span) in scope.from_root().enumerate() {
        if at > 0 {
            writer.write_char(',')?;
        }
        let extensions = span.extensions();
        let fields = extensions.get::<FormattedFields<N>>();
        let text = match fields.map(|fields| fields.fields.as_str()) {
            Some(fields) if !fields.is_empty() => format!("{}{{{fields}}}", span.name()),
            _ => span.name().to_owned(),
        };
        string(writer, &text)?;
    }
    writer.write_char(']')
}

/// Writes the fields of one event as members of an object.
struct Fields<'a, W> {
    writer: &'a mut W,
    first: bool,
    result: fmt::Result,
}

impl<W: Write> Fields<'_, W> {
    fn member(&mut self, name: &str, value: impl FnOnce(&mut W) -> fmt::Result) {
        let comma = !std::mem::take(&mut self.first);
        self.result = self.result.and_then(|()| {
            if comma {
                self.writer.write_char(',')?;
            }
            string(self.writer, name)?;
            self.writer.write_char(':')?;
            value(self.writer)
        });
    }
}

impl<W: Write> Visit for Fields<'_, W> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.member(field.name(), |writer| {
            writer.write_char('"')?;
            write!(Escape(writer), "{value:?}")?;
            writer.write_char('"')
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field.name(), |writer| string(writer, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), |writer| write!(writer, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), |writer| write!(writer, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), |writer| write!(writer, "{value}"));
    }

    /// JSON has no infinity and no NaN.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field.name(), |writer| match value.is_finite() {
            true => write!(writer, "{value}"),
            false => write!(writer, "\"{value}\""),
        });
    }
}

/// Writes `text` as a JSON string, quotes included.
pub(crate) fn string(writer: &mut impl Write, text: &str) -> fmt::Result {
    writer.write_char('"')?;
    Escape(writer).write_str(text)?;
    writer.write_char('"')
}

/// Escapes what is written through it for a JSON string (RFC 8259, 7).
struct Escape<'a, W>(&'a mut W);

impl<W: Write> Write for Escape<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '"' => self.0.write_str("\\\""),
            '\\' => self.0.write_str("\\\\"),
            '\n' => self.0.write_str("\\n"),
            '\r' => self.0.write_str("\\r"),
            '\t' => self.0.write_str("\\t"),
            c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c)),
            c => self.0.write_char(c),
        })
    }
}
