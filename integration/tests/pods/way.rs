//! Who of the two sides is in the mesh.

use mesh_integration::pods::Trial;

/// Client and server, meshed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) client_meshed: bool,
    pub(crate) server_meshed: bool,
}

impl Way {
    const ALL: [(&'static str, Self); 3] = [
        ("meshed_to_meshed", Self::new(true, true)),
        ("meshed_to_unmeshed", Self::new(true, false)),
        ("unmeshed_to_meshed", Self::new(false, true)),
    ];

    const fn new(client_meshed: bool, server_meshed: bool) -> Self {
        Self {
            client_meshed,
            server_meshed,
        }
    }

    pub(crate) fn both(self) -> bool {
        self.client_meshed && self.server_meshed
    }
}

/// A test of its own for each way.
pub(crate) fn each_way(name: &str, scenario: fn(Way)) -> Vec<Trial> {
    let test =
        |(way_name, way): (&str, Way)| test(&format!("{name}::{way_name}"), move || scenario(way));
    Way::ALL.into_iter().map(test).collect()
}

/// One test.
pub(crate) fn test(name: &str, scenario: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        scenario();
        Ok(())
    })
}
