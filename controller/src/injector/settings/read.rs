//! Every setting's name, kind, default and meaning.
//!
//! Each line that reads one is also its documentation: docs/injection.md has these
//! rows, and a test keeps it so.

use super::{
    Amount, Both, Image, Inbound, Life, Ports, Resources, Settings, Timeouts, Traffic, User,
    Watching,
};
use crate::injector::annotations::{Reader, kinds};

/// What the proxy's version is when nobody names another.
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Settings {
    pub(in crate::injector) fn read(from: &mut Reader<'_>) -> Self {
        Self {
            image: Image::read(from),
            ports: Ports::read(from),
            traffic: Traffic::read(from),
            inbound: Inbound::read(from),
            timeouts: Timeouts::read(from),
            resources: Resources::read(from),
            user: User::read(from),
            life: Life::read(from),
            watching: Watching::read(from),
            environment: from.all(
                kinds::ENVIRONMENT,
                "proxy-additional-env",
                "",
                "More environment variables of the proxy; those of install, namespace and pod are merged by name. A name that the injector sets is replaced",
            ),
        }
    }
}

impl Image {
    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            name: from.get(
                kinds::IMAGE,
                "proxy-image",
                "mesh/proxy",
                "Image of proxy and init",
            ),
            version: from.get(kinds::TAG, "proxy-version", VERSION, "Its tag"),
            pull_policy: from.get(
                kinds::PULL_POLICY,
                "image-pull-policy",
                "IfNotPresent",
                "When the image is pulled",
            ),
        }
    }
}

impl Ports {
    fn read(from: &mut Reader<'_>) -> Self {
        let mut port = |name, default, meaning| from.get(kinds::PORT, name, default, meaning);
        Self {
            inbound: port(
                "inbound-port",
                "4143",
                "Where the proxy takes inbound connections",
            ),
            outbound: port(
                "outbound-port",
                "4140",
                "Where it takes outbound connections, on loopback",
            ),
            admin: port("admin-port", "4191", "Where probes and metrics are"),
            control: port("control-port", "4190", "Where tap listens; not redirected"),
        }
    }
}

impl Traffic {
    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            skip_inbound: from.get(
                kinds::PORTS,
                "skip-inbound-ports",
                "4567,4568",
                "Inbound connections to these ports pass the proxy by, without encryption or policy",
            ),
            skip_outbound: from.get(
                kinds::PORTS,
                "skip-outbound-ports",
                "4567,4568",
                "Outbound connections to these ports pass it by",
            ),
            skip_subnets: from.get(
                kinds::NETWORKS,
                "skip-subnets",
                "",
                "Inbound connections from these networks pass it by",
            ),
            close_wait: from.option(
                kinds::CLOSE_WAIT,
                "close-wait-timeout",
                "nf_conntrack_tcp_timeout_close_wait of the pod. Makes the init container privileged",
            ),
        }
    }
}

impl Inbound {
    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            ports: from.option(
                kinds::PORTS,
                "pod-inbound-ports",
                "Ports whose policies the proxy asks for at its start, instead of the TCP ports of the containers",
            ),
            opaque: from.get(
                kinds::PORTS_OR_NAMES,
                "opaque-ports",
                "25,587,3306,4444,5432,6379,9300,11211",
                "Ports whose protocol is not detected: bytes are carried as they are. Also read by the controller",
            ),
            policy: from.get(
                kinds::POLICY,
                "default-inbound-policy",
                "all-unauthenticated",
                "Who may connect where no policy says otherwise. Also read by the controller",
            ),
            identity: from.option(
                kinds::PORTS,
                "proxy-require-identity-inbound-ports",
                "Ports whose clients need an identity, whatever policy says",
            ),
        }
    }
}

impl Timeouts {
    fn read(from: &mut Reader<'_>) -> Self {
        let mut time = |name, default, meaning| from.get(kinds::DURATION, name, default, meaning);
        let connect = Both {
            inbound: time(
                "proxy-inbound-connect-timeout",
                "100ms",
                "Bound on connecting to the application",
            ),
            outbound: time(
                "proxy-outbound-connect-timeout",
                "1s",
                "Bound on TCP and TLS handshakes with an endpoint",
            ),
        };
        let discovery = Both {
            inbound: time(
                "proxy-inbound-discovery-cache-unused-timeout",
                "90s",
                "Policies of a port are forgotten so long after its last use",
            ),
            outbound: time(
                "proxy-outbound-discovery-cache-unused-timeout",
                "5s",
                "What is known of a target is forgotten so long after its last use",
            ),
        };
        let mut flag = |name, meaning| from.get(kinds::BOOL, name, "false", meaning);
        let endless_detection = Both {
            inbound: flag(
                "proxy-disable-inbound-protocol-detect-timeout",
                "Wait for a client's first bytes for a year, instead of 3 s",
            ),
            outbound: flag(
                "proxy-disable-outbound-protocol-detect-timeout",
                "The same for clients in the pod",
            ),
        };
        Self {
            connect,
            discovery,
            endless_detection,
        }
    }
}

impl Resources {
    fn read(from: &mut Reader<'_>) -> Self {
        let mut amount = |request, limit, meaning: [&'static str; 2]| Amount {
            request: from.option(kinds::QUANTITY, request, meaning[0]),
            limit: from.option(kinds::QUANTITY, limit, meaning[1]),
        };
        let cpu = amount(
            "proxy-cpu-request",
            "proxy-cpu-limit",
            [
                "Cores asked for",
                "Cores at most; the proxy then has as many threads, rounded up",
            ],
        );
        let memory = amount(
            "proxy-memory-request",
            "proxy-memory-limit",
            ["Bytes of memory asked for", "Bytes of memory at most"],
        );
        let storage = amount(
            "proxy-ephemeral-storage-request",
            "proxy-ephemeral-storage-limit",
            ["Bytes of disk asked for", "Bytes of disk at most"],
        );
        Self {
            cpu,
            memory,
            storage,
            cpu_ratio: from.option(
                kinds::RATIO,
                "proxy-cpu-ratio-limit",
                "Threads as a part of the node's cores",
            ),
        }
    }
}

impl User {
    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            uid: from.get(
                kinds::USER,
                "proxy-uid",
                "2102",
                "User that the proxy runs as, and whose connections are not redirected",
            ),
            gid: from.option(kinds::USER, "proxy-gid", "Its group, not redirected either"),
        }
    }
}

impl Life {
    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            native: from.get(
                kinds::BOOL,
                "proxy-enable-native-sidecar",
                "true",
                "The proxy is an init container that runs on (Kubernetes 1.29): it starts before and ends after the application, and Jobs complete. `false` makes it a container like others",
            ),
            wait_for_ready: from.get(
                kinds::ENABLED,
                "proxy-await",
                "enabled",
                "Without a native sidecar: other containers start once the proxy is ready",
            ),
            wait_before_exit: from.get(
                kinds::SECONDS,
                "proxy-wait-before-exit-seconds",
                "0",
                "Without a native sidecar: the proxy is told to end so much later (preStop `sleep`, Kubernetes 1.30)",
            ),
            grace: from.option(
                kinds::DURATION,
                "shutdown-grace-period",
                "How long open connections may take to finish when the proxy ends; 2m without",
            ),
            shutdown: from.get(
                kinds::ENABLED,
                "proxy-admin-shutdown",
                "disabled",
                "`POST /shutdown` from within the pod ends the proxy",
            ),
        }
    }
}

impl Watching {
    fn read(from: &mut Reader<'_>) -> Self {
        Self {
            log: from.get(
                kinds::LOG_LEVELS,
                "proxy-log-level",
                "warn,mesh=info,hickory=error",
                "What the proxy logs",
            ),
            log_format: from.get(kinds::LOG_FORMAT, "proxy-log-format", "plain", "How it looks"),
            access_log: from.option(
                kinds::ACCESS_LOG,
                "access-log",
                "A line for each request, in that form. For proxies to come: this version's has none",
            ),
            hostname_labels: from.get(
                kinds::BOOL,
                "proxy-metrics-hostname-labels",
                "false",
                "Routes are counted per host name, which clients choose",
            ),
        }
    }
}
