//! Which object a policy came from: the labels of metrics and errors.

use std::{fmt, sync::Arc};

/// The object a server, route, backend or authorization was made from
/// (`meta.Metadata` of the Linkerd API).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Metadata {
    /// API group; empty for a default, `core` for a Service.
    pub group: Arc<str>,
    /// Kind in the group; `default` for what no object stands behind.
    pub kind: Arc<str>,
    /// Namespace of the object; empty for a default.
    pub namespace: Arc<str>,
    /// Name of the object or of the default.
    pub name: Arc<str>,
    /// Section of the object (a rule or port name); usually empty.
    pub section: Arc<str>,
    /// Port of a Service this applies to; 0 when it has none.
    pub port: u16,
}

impl Metadata {
    /// Metadata of a behaviour that no object asked for, such as `all-unauthenticated`.
    pub fn of_default(name: &str) -> Arc<Self> {
        Arc::new(Self {
            kind: "default".into(),
            name: name.into(),
            ..Self::default()
        })
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.kind.to_ascii_lowercase())?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)?;
        if self.port != 0 {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}
