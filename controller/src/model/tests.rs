//! The rules of the model, on manifests.

mod endpoints;
mod opaque;
mod policy;

use super::{
    Index, Settings,
    authority::{Authority, ServiceName},
    object::Change,
    query::{Query, Touched},
};
use crate::{config::Config, source::directory::objects};

fn settings() -> Settings {
    Config::new("unused").settings()
}

fn index(manifests: &str) -> Index {
    index_with(manifests, settings())
}

fn index_with(manifests: &str, settings: Settings) -> Index {
    let mut index = Index::new(settings);
    for object in objects(manifests) {
        index.apply(Change::Apply(object), &mut Touched::default());
    }
    index
}

fn name(text: &str) -> ServiceName {
    match Authority::parse(text, "cluster.local") {
        Ok(Authority::Service(name)) => name,
        other => panic!("{text} is no service: {other:?}"),
    }
}

fn view<Q: Query>(index: &Index, query: &Q) -> Q::View {
    query.view(index).expect("there is an answer")
}
