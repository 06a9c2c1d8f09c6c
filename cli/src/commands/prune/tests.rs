//! What is left over.

use super::*;
use crate::install::{self, Credentials, Values, testing};
use serde_json::Value;

fn objects(values: &str) -> Vec<Value> {
    let values = Values::default().overlaid("test", values).unwrap();
    let credentials = Credentials::of(&values, SystemTime::now()).unwrap();
    install::objects(&values, &credentials, "0.0.9")
}

#[tokio::test]
async fn what_other_values_had_made_is_printed_and_nothing_else() {
    let mut there = objects("");
    let of_ha = objects("highAvailability: true");
    there.extend(
        of_ha
            .into_iter()
            .filter(|object| object["kind"] == "PodDisruptionBudget"),
    );
    let left = left(&testing::cluster(there), SystemTime::now())
        .await
        .unwrap();
    let names: Vec<_> = left.iter().map(|left| left.json().to_string()).collect();
    assert_eq!(
        names[0],
        r#"{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"mesh-identity","namespace":"mesh"}}"#
    );
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn what_is_wanted_stays() {
    let there = testing::cluster(objects("highAvailability: true"));
    assert_eq!(left(&there, SystemTime::now()).await.unwrap(), []);
}
