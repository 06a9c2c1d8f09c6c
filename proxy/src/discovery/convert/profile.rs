//! Destination profiles. Their routes and overrides are Linkerd's older way to say
//! what outbound policies say; our controller sends none, so they are not read.

use super::{InField as _, Invalid, endpoint::endpoint, metadata};
use crate::{discovery::endpoints::Endpoint, policy::Metadata};
use linkerd2_proxy_api::destination::DestinationProfile;
use std::{collections::HashMap, sync::Arc};

/// What a profile adds to a target's policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::discovery) struct Profile {
    /// The Service it is the profile of.
    pub(in crate::discovery) parent: Option<Arc<Metadata>>,
    /// The service's full name without a port; `None` for what is no service.
    pub(in crate::discovery) name: Option<Arc<str>>,
    /// The port is opaque, whatever the policy says.
    pub(in crate::discovery) opaque: bool,
    /// The one endpoint that a pod's own address or host name stands for.
    pub(in crate::discovery) endpoint: Option<Endpoint>,
}

pub(in crate::discovery) fn profile(profile: DestinationProfile) -> Result<Profile, Invalid> {
    let to_endpoint = |addr| endpoint(addr, &HashMap::new()).in_field("endpoint");
    let parent = profile.parent_ref;
    Ok(Profile {
        parent: parent.map(|parent| metadata(Some(parent))),
        name: Some(profile.fully_qualified_name)
            .filter(|name| !name.is_empty())
            .map(Into::into),
        opaque: profile.opaque_protocol,
        endpoint: profile.endpoint.map(to_endpoint).transpose()?,
    })
}
