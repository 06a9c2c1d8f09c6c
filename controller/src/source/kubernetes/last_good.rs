//! An annotation whose new value makes no sense keeps the one that it had.
//!
//! Kubernetes stores any text, so a typing error in `opaque-ports` of a Service that
//! works would change how all its clients talk to it. The values before are known to
//! this process alone: after a restart, and in a replica that never saw them, what
//! makes no sense is left out.

use crate::{
    model::object::ObjectKey,
    source::convert::{Convert, Converted, Invalid},
};
use kube::{Resource, ResourceExt as _};
use std::collections::{BTreeMap, HashMap};

/// Whose annotations tune an object: prefixes that end so.
const OURS: [&str; 2] = [".mesh.dev", ".linkerd.io"];

/// Good values, by object and annotation.
#[derive(Debug, Default)]
pub(super) struct LastGood(HashMap<ObjectKey, BTreeMap<String, String>>);

impl LastGood {
    /// Converts an object, with good values in the place of bad ones. What was wrong
    /// is in the warnings all the same.
    pub(super) fn convert<K>(&mut self, key: &ObjectKey, object: K) -> Result<Converted, Invalid>
    where
        K: Convert + Resource<DynamicType = ()> + Clone,
    {
        let mut good = tuning(&object);
        if good.is_empty() {
            self.0.remove(key);
            return object.convert();
        }
        let mut again = object.clone();
        let mut converted = object.convert()?;
        let bad = |name: &str| {
            let mut names = converted.warnings.iter().map(|each| &each.annotation);
            names.any(|each| each.as_deref() == Some(name))
        };
        let mut kept = self.0.remove(key).unwrap_or_default();
        kept.retain(|name, _| bad(name));
        good.retain(|name, _| !bad(name));
        good.extend(kept.clone());
        self.0.insert(key.clone(), good);
        if kept.is_empty() {
            return Ok(converted);
        }
        for warning in &mut converted.warnings {
            let name = warning.annotation.as_ref();
            warning.kept = name.is_some_and(|name| kept.contains_key(name));
        }
        again.annotations_mut().extend(kept);
        Ok(Converted {
            object: again.convert()?.object,
            warnings: converted.warnings,
        })
    }

    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.0.remove(key);
    }
}

/// The annotations that may tune the object.
fn tuning<K: Resource>(object: &K) -> BTreeMap<String, String> {
    let ours = |name: &String| {
        let prefix = name.split_once('/').map(|(prefix, _)| prefix);
        prefix.is_some_and(|prefix| OURS.iter().any(|ours| prefix.ends_with(ours)))
    };
    let annotations = object.annotations().iter();
    annotations
        .filter(|(name, _)| ours(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::object::{Kind, Object};
    use k8s_openapi::api::core::v1::Service;
    use serde_json::json;

    const OPAQUE: &str = "config.mesh.dev/opaque-ports";

    fn key() -> ObjectKey {
        ObjectKey {
            kind: Kind::Service,
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
        }
    }

    /// Which ports are opaque, and what is said about them.
    fn opaque(last: &mut LastGood, value: Option<&str>) -> (String, Vec<String>) {
        let annotations: BTreeMap<_, _> = value.map(|value| (OPAQUE, value)).into_iter().collect();
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
            "spec": {"ports": [{"port": 80}]},
        }))
        .unwrap();
        let converted = last.convert(&key(), service).unwrap();
        let Some(Object::Service(service)) = converted.object else {
            panic!("{:?}", converted.object);
        };
        let ports = service.opaque_ports.map(|ports| ports.to_string());
        let warnings = converted.warnings.iter().map(ToString::to_string);
        (ports.unwrap_or_default(), warnings.collect())
    }

    #[test]
    fn a_typing_error_changes_nothing() {
        let last = &mut LastGood::default();
        assert_eq!(opaque(last, Some("25,26")).0, "25,26");
        for _ in 0..2 {
            let (ports, warnings) = opaque(last, Some("smtp"));
            assert_eq!(ports, "25,26");
            let stays =
                format!("metadata.annotations[{OPAQUE}] is ignored, its last good value stays: ");
            assert!(warnings[0].starts_with(&stays), "{warnings:?}");
        }
        assert_eq!(opaque(last, Some("27")), ("27".to_owned(), Vec::new()));
        assert_eq!(opaque(last, Some("smtp")).0, "27");
    }

    #[test]
    fn what_is_taken_away_or_was_never_good_is_not_kept() {
        let last = &mut LastGood::default();
        let (ports, warnings) = opaque(last, Some("25,smtp"));
        assert_eq!(ports, "25");
        let ignored = format!("metadata.annotations[{OPAQUE}] is ignored: ");
        assert!(warnings[0].starts_with(&ignored), "{warnings:?}");
        opaque(last, Some("26"));
        assert_eq!(opaque(last, None).0, "");
        assert_eq!(opaque(last, Some("smtp")).0, "");
        opaque(last, Some("26"));
        last.forget(&key());
        assert_eq!(opaque(last, Some("smtp")).0, "");
    }
}
