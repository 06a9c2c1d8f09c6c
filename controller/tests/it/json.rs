//! Messages as the vectors write them: protobuf's JSON with the names of the
//! proto files, defaults left out, IPv4 dotted.
//!
//! Read back from the wire form by the proto files that come with
//! linkerd2-proxy-api, so that nothing of the generated code is taken on trust.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let protos = api_folder().join("proto");
    let files = ["destination.proto", "inbound.proto", "outbound.proto"];
    let set = protox::compile(files, [&protos]).expect("the proto files compile");
    DescriptorPool::from_file_descriptor_set(set).expect("the proto files are complete")
});

/// A message as JSON; `name` is its full name in the proto files.
pub(crate) fn of(message: &impl Message, name: &str) -> Value {
    let descriptor = POOL
        .get_message_by_name(name)
        .expect("the message is in the proto files");
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice());
    let options = SerializeOptions::new().use_proto_field_name(true);
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut text);
    let dynamic = dynamic.expect("the message is well-formed");
    dynamic
        .serialize_with_options(&mut serializer, &options)
        .expect("JSON can hold it");
    // By way of text, since that keeps 0.2 what it is.
    let mut value = serde_json::from_slice(&text).expect("what was written can be read");
    normalize(&mut value);
    value
}

/// Brings lists that are sets into one order, and addresses into one form.
pub(crate) fn normalize(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                normalize(field);
                match (name.as_str(), &mut *field) {
                    ("addrs" | "authorizations" | "networks", Value::Array(set)) => {
                        set.sort_by_cached_key(Value::to_string);
                    }
                    ("ipv4", Value::Number(bits)) => {
                        let bits = bits.as_i64().and_then(|bits| u32::try_from(bits).ok());
                        let ip = Ipv4Addr::from(bits.expect("four bytes"));
                        *field = Value::String(ip.to_string());
                    }
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalize),
        // One way to write a whole number.
        Value::Number(number) => {
            if let Some(whole) = number
                .as_f64()
                .filter(|n| n.fract() == 0.0 && n.abs() < 1e15)
            {
                *value = Value::from(whole as i64);
            }
        }
        _ => {}
    }
}

/// Where cargo keeps the sources of linkerd2-proxy-api.
fn api_folder() -> PathBuf {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo tells in JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let mut api = packages
        .iter()
        .filter(|package| package["name"] == "linkerd2-proxy-api");
    let manifest = api.next().and_then(|api| api["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder.expect("the API is a dependency").to_owned()
}
