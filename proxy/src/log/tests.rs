use super::*;
use std::io;
use tracing::{debug, info, info_span, warn};

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Lines(Arc<parking_lot::Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock())).unwrap()
    }
}

fn logger(
    filter: &str,
    format: LogFormat,
) -> (impl tracing::Subscriber + Send + Sync, Handle, Lines) {
    let lines = Lines::default();
    let writer = lines.clone();
    let config = LogConfig {
        filter: filter.parse().unwrap(),
        format,
    };
    let (subscriber, handle) = subscriber(&config, move || writer.clone());
    (subscriber, handle, lines)
}

#[test]
fn filters_read_as_linkerd_writes_them() {
    for (text, shown) in [
        (
            "warn,mesh=info,hickory=error",
            "warn,mesh=info,hickory=error",
        ),
        ("warn,linkerd=debug", "warn,mesh=debug"),
        ("linkerd_app=trace", "off,mesh=trace"),
        (" INFO , mesh=OFF ", "info,mesh=off"),
        ("debug,[{headers}]=off,[{a,b}]=off", "debug"),
        ("off", "off"),
    ] {
        let filter: Filter = text.parse().unwrap();
        assert_eq!(filter.to_string(), shown);
        assert_eq!(shown.parse::<Filter>().unwrap(), filter);
    }
    assert_eq!(
        Filter::default().to_string(),
        "warn,mesh=info,hickory=error"
    );
}

#[test]
fn wrong_filters_name_the_directive() {
    for (text, named) in [
        ("warn,mesh=loud", "mesh=loud"),
        ("verbose", "verbose"),
        ("mesh=info=debug", "mesh=info=debug"),
        ("=info", "=info"),
        ("", "\"\""),
        ("mesh=", "mesh="),
    ] {
        let error = text.parse::<Filter>().unwrap_err().to_string();
        assert!(
            error.contains(named) && error.contains("for example"),
            "{error}"
        );
    }
}

#[test]
fn the_level_changes_while_running() {
    let (subscriber, handle, lines) = logger("warn,mesh=info", LogFormat::Plain);
    tracing::subscriber::with_default(subscriber, || {
        debug!("hidden");
        info!("shown");
        info!(target: "h2", "hidden");
        let text = lines.take();
        assert!(text.contains("shown") && !text.contains("hidden"), "{text}");
        handle.set("off,linkerd=debug".parse().unwrap());
        debug!("now shown");
        warn!(target: "h2", "now hidden");
        let text = lines.take();
        assert!(
            text.contains("now shown") && !text.contains("now hidden"),
            "{text}"
        );
        assert_eq!(handle.current().to_string(), "off,mesh=debug");
    });
}

#[test]
fn json_lines_are_json() {
    let (subscriber, _handle, lines) = logger("info", LogFormat::Json);
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("outbound", target = "web.shop:80");
        let _entered = span.enter();
        info!(
            count = 3_u64,
            ratio = f64::NAN,
            ok = true,
            path = "a\"b\\c\n\u{1}",
            addr = ?"[::1]:80",
            "Connected to {}",
            "web"
        );
    });
    let line = lines.take();
    let (time, rest) = line.split_once("\",\"level\":").unwrap();
    assert!(
        time.starts_with("{\"timestamp\":\"2") && time.ends_with('Z'),
        "{time}"
    );
    assert_eq!(
        rest,
        "\"INFO\",\"fields\":{\"message\":\"Connected to web\",\"count\":3,\"ratio\":\"NaN\",\
         \"ok\":true,\"path\":\"a\\\"b\\\\c\\n\\u0001\",\"addr\":\"\\\"[::1]:80\\\"\"},\
         \"target\":\"mesh_proxy::log::tests\",\"spans\":[\"outbound{target=\\\"web.shop:80\\\"}\"]}\n"
    );
}
