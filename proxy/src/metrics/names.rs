//! Every family: names, helps, types and buckets.
//!
//! Names are Linkerd's where Linkerd has one (`linkerd.txt` holds what its proxies
//! print, and a test compares), so that dashboards and habits carry over. Counters
//! carry `_total` in `# TYPE` too, as the text format asks; Linkerd mixes in
//! OpenMetrics, where the suffix is left out there.

use super::family::{
    ANSWER, DETECTION, EXCHANGE, FRAMES, Family, LATENCY_MS, QUEUEING, counter, gauge, histogram,
};

macro_rules! families {
    ($($id:ident = $make:ident($($arg:expr),+);)*) => {
        $(pub(super) static $id: Family = $make($($arg),+);)*

        /// Every family declared here, for the documentation's test.
        #[cfg(test)]
        pub(super) static ALL: &[&Family] = &[$(&$id),*];
    };
}

/// Linkerd says so of both directions.
const ERRORS_HTTP: &str =
    "The total number of inbound HTTP requests that could not be processed due to a proxy error.";
const ERRORS_TCP: &str =
    "The total number of inbound TCP connections that could not be processed due to a proxy error.";
const LATENCY: &str = "Elapsed times between a request's headers being received and its response \
    stream completing";
const EXCHANGED: &str = "The time between request initialization and response completion.";
const ANSWERED: &str = "The time between request completion and response completion.";
const DISPATCHED: &str = "The total number of requests dispatched.";
const FRAMES_IN: &str = "Request data frame sizes.";
const FRAMES_OUT: &str = "Response data frame sizes.";
const DETECT_TIME: &str = "Time taken for protocol detection.";
const DETECT_RESULT: &str = "Protocol detection results.";

families! {
    // HTTP, per endpoint or client.
    REQUEST = counter("request_total", "Total count of HTTP requests.");
    RESPONSE = counter("response_total", "Total count of HTTP responses.");
    RESPONSE_LATENCY = histogram("response_latency_ms", LATENCY, &LATENCY_MS);
    CONTROL_REQUEST = counter("control_request_total", "Total count of HTTP requests.");
    CONTROL_RESPONSE = counter("control_response_total", "Total count of HTTP responses.");
    CONTROL_RESPONSE_LATENCY = histogram("control_response_latency_ms", LATENCY, &LATENCY_MS);
    // Connections.
    TCP_OPEN = counter("tcp_open_total", "Total count of opened connections");
    TCP_OPEN_NOW = gauge("tcp_open_connections", "Number of currently-open connections");
    TCP_CLOSE = counter("tcp_close_total", "Total count of closed connections");
    TCP_READ = counter("tcp_read_bytes_total", "Total count of bytes read from peers");
    TCP_WRITE = counter("tcp_write_bytes_total", "Total count of bytes written to peers");
    TRANSFER_COST = counter("outbound_tcp_transfer_cost_bytes_total",
        "The total amount of data transferred in and out of this proxy, by cost zone.");
    // What was found on a connection.
    INBOUND_DETECT_TIME = histogram("inbound_tcp_detect_http_duration_seconds", DETECT_TIME, &DETECTION);
    INBOUND_DETECT_RESULT = counter("inbound_tcp_detect_http_results_total", DETECT_RESULT);
    OUTBOUND_DETECT_TIME = histogram("outbound_tcp_detect_http_duration_seconds", DETECT_TIME, &DETECTION);
    OUTBOUND_DETECT_RESULT = counter("outbound_tcp_detect_http_results_total", DETECT_RESULT);
    OUTBOUND_PROTOCOL = counter("outbound_tcp_protocol_connections_total",
        "Outbound TCP connections by protocol configuration.");
    TRANSPORT_HEADER = counter("inbound_tcp_transport_header_connections_total",
        "TCP connections with transport headers.");
    // Failures of the proxy.
    INBOUND_HTTP_ERRORS = counter("inbound_http_errors_total", ERRORS_HTTP);
    INBOUND_TCP_ERRORS = counter("inbound_tcp_errors_total", ERRORS_TCP);
    OUTBOUND_HTTP_ERRORS = counter("outbound_http_errors_total", ERRORS_HTTP);
    OUTBOUND_TCP_ERRORS = counter("outbound_tcp_errors_total", ERRORS_TCP);
    // Authorization.
    HTTP_ALLOW = counter("inbound_http_authz_allow_total",
        "The total number of inbound HTTP requests that were authorized");
    HTTP_DENY = counter("inbound_http_authz_deny_total",
        "The total number of inbound HTTP requests that could not be authorized");
    HTTP_NO_ROUTE = counter("inbound_http_route_not_found_total",
        "The total number of inbound HTTP requests that matched no route");
    TCP_ALLOW = counter("inbound_tcp_authz_allow_total",
        "The total number of inbound TCP connections that were authorized");
    TCP_DENY = counter("inbound_tcp_authz_deny_total",
        "The total number of inbound TCP connections that were denied");
    TCP_TERMINATE = counter("inbound_tcp_authz_terminate_total",
        "The total number of TCP connections that were terminated due to an authorization change");
    // Inbound HTTP.
    INBOUND_HTTP_REQUESTS = counter("inbound_http_requests_total", DISPATCHED);
    INBOUND_HTTP_EXCHANGE = histogram("inbound_http_request_duration_seconds", EXCHANGED, &ANSWER);
    INBOUND_HTTP_ANSWER = histogram("inbound_http_response_duration_seconds", ANSWERED, &EXCHANGE);
    INBOUND_HTTP_FRAMES_IN = histogram("inbound_http_request_frame_size_bytes", FRAMES_IN, &FRAMES);
    INBOUND_HTTP_FRAMES_OUT = histogram("inbound_http_response_frame_size_bytes", FRAMES_OUT, &FRAMES);
    INBOUND_HTTP_STATUSES = counter("inbound_http_statuses_total", "Completed HTTP responses.");
    INBOUND_GRPC_REQUESTS = counter("inbound_grpc_requests_total", DISPATCHED);
    INBOUND_GRPC_EXCHANGE = histogram("inbound_grpc_request_duration_seconds", EXCHANGED, &ANSWER);
    INBOUND_GRPC_ANSWER = histogram("inbound_grpc_response_duration_seconds", ANSWERED, &EXCHANGE);
    INBOUND_GRPC_FRAMES_IN = histogram("inbound_grpc_request_frame_size_bytes", FRAMES_IN, &FRAMES);
    INBOUND_GRPC_FRAMES_OUT = histogram("inbound_grpc_response_frame_size_bytes", FRAMES_OUT, &FRAMES);
    INBOUND_GRPC_STATUSES = counter("inbound_grpc_statuses_total", "Completed gRPC responses.");
    // Outbound routes and their backends.
    HTTP_ROUTE_EXCHANGE = histogram("outbound_http_route_request_duration_seconds", EXCHANGED, &EXCHANGE);
    HTTP_ROUTE_FRAMES_IN = histogram("outbound_http_route_request_frame_size_bytes", FRAMES_IN, &FRAMES);
    HTTP_ROUTE_STATUSES = counter("outbound_http_route_request_statuses_total",
        "Completed request-response streams.");
    HTTP_BACKEND_REQUESTS = counter("outbound_http_route_backend_requests_total", DISPATCHED);
    HTTP_BACKEND_ANSWER = histogram("outbound_http_route_backend_response_duration_seconds", ANSWERED, &ANSWER);
    HTTP_BACKEND_FRAMES_OUT = histogram("outbound_http_route_backend_response_frame_size_bytes", FRAMES_OUT, &FRAMES);
    HTTP_BACKEND_STATUSES = counter("outbound_http_route_backend_response_statuses_total",
        "Completed responses.");
    GRPC_ROUTE_EXCHANGE = histogram("outbound_grpc_route_request_duration_seconds", EXCHANGED, &EXCHANGE);
    GRPC_ROUTE_FRAMES_IN = histogram("outbound_grpc_route_request_frame_size_bytes", FRAMES_IN, &FRAMES);
    GRPC_ROUTE_STATUSES = counter("outbound_grpc_route_request_statuses_total",
        "Completed request-response streams.");
    GRPC_BACKEND_REQUESTS = counter("outbound_grpc_route_backend_requests_total", DISPATCHED);
    GRPC_BACKEND_ANSWER = histogram("outbound_grpc_route_backend_response_duration_seconds", ANSWERED, &ANSWER);
    GRPC_BACKEND_FRAMES_OUT = histogram("outbound_grpc_route_backend_response_frame_size_bytes", FRAMES_OUT, &FRAMES);
    GRPC_BACKEND_STATUSES = counter("outbound_grpc_route_backend_response_statuses_total",
        "Completed responses.");
    // The control plane and identity.
    DNS = counter("control_dns_resolutions_total",
        "Counts the number of DNS records that have been resolved.");
    CERT_EXPIRATION = gauge("control_identity_cert_expiration_timestamp_seconds",
        "Time when this proxy's current mTLS identity certificate will expire (in seconds since the UNIX epoch).");
    CERT_REFRESH = gauge("control_identity_cert_refresh_timestamp_seconds",
        "Time when this proxy's current mTLS identity certificate was last updated.");
    CERT_REFRESHES = counter("control_identity_cert_refreshes_total",
        "The total number of times this proxy's mTLS identity certificate has been refreshed by the Identity provider.");
    // The same: ours.
    CONTROL_FAILING = gauge("control_failing_since_timestamp_seconds",
        "Since when the control plane has answered no request of this client (seconds since the UNIX epoch); 0 while it does.");
    CONTROL_FAILURE = gauge("control_failure_timestamp_seconds",
        "When a request of this client last failed (seconds since the UNIX epoch); 0 if none has.");
    TRUST_ANCHORS = gauge("control_identity_trust_anchors_info",
        "1 for the SHA-256 of the trust anchors in force.");
    // The process.
    BUILD_INFO = gauge("proxy_build_info", "Proxy build info.");
    RUSTLS_INFO = gauge("rustls_info", "Proxy TLS info.");
    // Limits: ours.
    INBOUND_FULL = counter("inbound_tcp_connection_limit_reached_total",
        "Times no more connections were accepted until one closed.");
    OUTBOUND_FULL = counter("outbound_tcp_connection_limit_reached_total",
        "Times no more connections were accepted until one closed.");
    INBOUND_SHED = counter("inbound_http_requests_shed_total",
        "Requests answered 503 because the limit on requests in flight was reached.");
    OUTBOUND_SHED = counter("outbound_http_requests_shed_total",
        "Requests answered 503 because the limit on requests in flight was reached.");
    INBOUND_RESET_FLOODS = counter("inbound_http_reset_floods_total",
        "HTTP/2 connections closed because the client reset streams faster than allowed.");
    OUTBOUND_RESET_FLOODS = counter("outbound_http_reset_floods_total",
        "HTTP/2 connections closed because the client reset streams faster than allowed.");
    OVERFLOW = counter("proxy_metrics_overflow_total",
        "Label sets that were merged into one because their family had too many.");
}

/// The families of one balancer; each is there for several stems.
#[derive(Debug)]
pub(super) struct BalancerFamilies {
    pub(super) endpoints: Family,
    pub(super) p2c_endpoints: Family,
    pub(super) p2c_updates: Family,
    pub(super) policy: Family,
    pub(super) queue_length: Family,
    pub(super) queue_requests: Family,
    pub(super) queue_latency: Family,
    pub(super) gate_open: Family,
    pub(super) gate_shut: Family,
    pub(super) gate_open_time: Family,
    pub(super) gate_shut_time: Family,
    pub(super) gate_timeout: Family,
}

macro_rules! balancer {
    ($id:ident, $stem:literal) => {
        pub(super) static $id: BalancerFamilies = BalancerFamilies {
            endpoints: gauge(
                concat!($stem, "_endpoints"),
                "The number of endpoints currently in a HTTP request balancer.",
            ),
            p2c_endpoints: gauge(
                concat!($stem, "_p2c_endpoints"),
                "The number of endpoints currently in the balancer.",
            ),
            p2c_updates: counter(
                concat!($stem, "_p2c_updates_total"),
                "The total number of service discovery updates received by a balancer.",
            ),
            policy: gauge(
                concat!($stem, "_policy"),
                "1 for the policy by which the balancer chooses endpoints, 0 for the others.",
            ),
            queue_length: gauge(
                concat!($stem, "_queue_length"),
                "The current count of requests waiting in the queue.",
            ),
            queue_requests: counter(
                concat!($stem, "_queue_requests_total"),
                "The total number of requests that have entered the queue.",
            ),
            queue_latency: histogram(
                concat!($stem, "_queue_latency_seconds"),
                "The distribution of durations that requests have spent in the queue.",
                &QUEUEING,
            ),
            gate_open: counter(
                concat!($stem, "_queue_gate_open_total"),
                "The total number of gate state changes to open.",
            ),
            gate_shut: counter(
                concat!($stem, "_queue_gate_shut_total"),
                "The total number of gate state changes from open to shut.",
            ),
            gate_open_time: gauge(
                concat!($stem, "_queue_gate_open_time_seconds"),
                "The time at which the gate was opened.",
            ),
            gate_shut_time: gauge(
                concat!($stem, "_queue_gate_shut_time_seconds"),
                "The time at which the gate was shut.",
            ),
            gate_timeout: gauge(
                concat!($stem, "_queue_gate_timeout_seconds"),
                "Indicates the request timeout after which the gate will shut and enter failfast.",
            ),
        };
    };
}

impl BalancerFamilies {
    /// All of them, for the documentation's test.
    #[cfg(test)]
    pub(super) fn all(&self) -> [&Family; 12] {
        [
            &self.endpoints,
            &self.p2c_endpoints,
            &self.p2c_updates,
            &self.policy,
            &self.queue_length,
            &self.queue_requests,
            &self.queue_latency,
            &self.gate_open,
            &self.gate_shut,
            &self.gate_open_time,
            &self.gate_shut_time,
            &self.gate_timeout,
        ]
    }
}

balancer!(OUTBOUND_HTTP_BALANCER, "outbound_http_balancer");
balancer!(OUTBOUND_TCP_BALANCER, "outbound_tcp_balancer");
balancer!(OUTBOUND_TLS_BALANCER, "outbound_tls_balancer");
balancer!(CONTROL_DESTINATION_BALANCER, "control_destination_balancer");
balancer!(CONTROL_IDENTITY_BALANCER, "control_identity_balancer");
balancer!(CONTROL_POLICY_BALANCER, "control_policy_balancer");
