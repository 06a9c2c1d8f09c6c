//! Keeps once what many objects say.
//!
//! The pods of a Deployment differ in name and address and in little else, and
//! thousands of endpoints name a hundred nodes and three zones. Each object comes from
//! the API server with all of it for itself; here that is replaced by what an earlier
//! one has brought, which makes a pod in memory a tenth of its size.

use crate::model::object::{Object, Pod, PodTemplate, Slice};
use std::{collections::HashSet, hash::Hash, sync::Arc};

/// What the objects of one kind share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    templates: Pool<PodTemplate>,
    texts: Pool<str>,
}

impl Shared {
    /// The same object, with less memory of its own.
    pub(super) fn object(&mut self, object: Object) -> Object {
        match object {
            Object::Pod(pod) => Object::Pod(self.pod(pod)),
            Object::Slice(slice) => Object::Slice(self.slice(slice)),
            object => object,
        }
    }

    fn pod(&mut self, mut pod: Arc<Pod>) -> Arc<Pod> {
        // Nobody else has it yet, so nothing is copied.
        let own = Arc::make_mut(&mut pod);
        self.texts.share(&mut own.namespace);
        self.templates.share(&mut own.template);
        pod
    }

    fn slice(&mut self, mut slice: Slice) -> Slice {
        self.texts.share(&mut slice.namespace);
        for endpoint in &mut slice.endpoints {
            let named = endpoint.node.iter_mut().chain(&mut endpoint.zone);
            for text in named.chain(&mut endpoint.hints) {
                self.texts.share(text);
            }
        }
        slice
    }
}

/// Values that are in use, each once.
#[derive(Debug)]
struct Pool<T: ?Sized> {
    values: HashSet<Arc<T>>,
    /// Those that nobody uses any more go when there are so many.
    sweep_at: usize,
}

const SMALLEST_SWEEP: usize = 64;

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Self {
            values: HashSet::new(),
            sweep_at: SMALLEST_SWEEP,
        }
    }
}

impl<T: Eq + Hash + ?Sized> Pool<T> {
    /// Replaces a value by the equal one that is here, or keeps it for the next.
    fn share(&mut self, value: &mut Arc<T>) {
        if let Some(same) = self.values.get(value) {
            *value = same.clone();
            return;
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = (self.values.len() * 2).max(SMALLEST_SWEEP);
        }
        self.values.insert(value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::directory::objects;

    fn pod(shared: &mut Shared, name: &str, account: &str) -> Arc<Pod> {
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, labels: {{app: web}}}}, spec: {{serviceAccountName: {account}, containers: []}}}}"
        );
        match objects(&text).pop().map(|object| shared.object(object)) {
            Some(Object::Pod(pod)) => pod,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pods_of_one_template_share_it() {
        let shared = &mut Shared::default();
        let (a, b) = (pod(shared, "a", "web"), pod(shared, "b", "web"));
        assert!(Arc::ptr_eq(&a.template, &b.template));
        assert!(Arc::ptr_eq(&a.namespace, &b.namespace));
        assert_ne!(a.name, b.name);
        let other = pod(shared, "c", "other");
        assert!(!Arc::ptr_eq(&a.template, &other.template));
    }

    #[test]
    fn what_nobody_uses_any_more_is_dropped() {
        let shared = &mut Shared::default();
        let kept = pod(shared, "a", "kept");
        for i in 0..1000 {
            pod(shared, "b", &format!("gone-{i}"));
        }
        assert!(shared.templates.values.len() <= SMALLEST_SWEEP);
        assert!(Arc::ptr_eq(
            &kept.template,
            &pod(shared, "c", "kept").template
        ));
    }
}
