use super::*;
use hickory_resolver::{
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig},
    proto::{
        op::{Message, MessageType, ResponseCode},
        rr::{Name, RData, Record, RecordType, rdata},
    },
};
use std::{io::Write as _, net::SocketAddr};
use tokio::net::UdpSocket;

/// A DNS server on a port of its own that knows one service with two hosts.
async fn serve() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buf = [0; 1500];
        loop {
            let (len, client) = socket.recv_from(&mut buf).await.unwrap();
            let query = Message::from_vec(&buf[..len]).unwrap();
            let reply = reply(&query).to_vec().unwrap();
            socket.send_to(&reply, client).await.unwrap();
        }
    });
    addr
}

fn reply(query: &Message) -> Message {
    let question = query.queries[0].clone();
    let mut reply = Message::response(query.id, query.op_code);
    reply.metadata.message_type = MessageType::Response;
    reply.metadata.recursion_available = true;
    reply.add_query(question.clone());
    let name = question.name().clone();
    let answers = known(&name.to_utf8().to_lowercase(), question.query_type());
    if answers.is_empty() {
        reply.metadata.response_code = ResponseCode::NXDomain;
    }
    for (ttl, data) in answers {
        reply.add_answer(Record::from_rdata(name.clone(), ttl, data));
    }
    reply
}

fn known(name: &str, kind: RecordType) -> Vec<(u32, RData)> {
    let srv = |priority, host: &str| {
        let host = Name::from_ascii(host).unwrap();
        RData::SRV(rdata::SRV::new(priority, 1, 8086, host))
    };
    match (name, kind) {
        ("dst.mesh.", RecordType::SRV) => {
            vec![(3600, srv(2, "b.dst.mesh.")), (3600, srv(1, "a.dst.mesh."))]
        }
        ("a.dst.mesh.", RecordType::A) => vec![(0, RData::A(rdata::A::new(10, 0, 0, 1)))],
        ("a.dst.mesh.", RecordType::AAAA) => {
            vec![(
                0,
                RData::AAAA(rdata::AAAA::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
            )]
        }
        _ => Vec::new(),
    }
}

async fn resolver() -> SystemResolver {
    let server = serve().await;
    let mut connection = ConnectionConfig::new(ProtocolConfig::Udp);
    connection.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![connection]);
    let servers = ResolverConfig::from_name_servers(vec![server]);
    let config = DnsConfig {
        min_ttl: Duration::from_secs(5),
        max_ttl: Duration::from_secs(60),
        ..DnsConfig::default()
    };
    SystemResolver::with_servers(config, servers, ResolverOpts::default()).unwrap()
}

#[tokio::test]
async fn service_records_by_priority_with_a_bounded_ttl() {
    let answers = resolver().await.srv("dst.mesh.").await.unwrap();
    let record = |host: &str| Srv {
        host: host.into(),
        port: 8086,
    };
    assert_eq!(
        answers.records,
        [record("a.dst.mesh."), record("b.dst.mesh.")]
    );
    assert!(answers.valid_for <= Duration::from_secs(60), "{answers:?}");
}

#[tokio::test]
async fn addresses_of_both_families_with_a_bounded_ttl() {
    let answers = resolver().await.addresses("a.dst.mesh.").await.unwrap();
    let ips: Vec<IpAddr> = ["10.0.0.1", "fd00::1"].map(|ip| ip.parse().unwrap()).into();
    assert_eq!(answers.records, ips);
    assert!(answers.valid_for >= Duration::from_secs(5), "{answers:?}");
}

#[tokio::test]
async fn an_unknown_name_is_not_found() {
    let resolver = resolver().await;
    let not_found = Err(DnsError::NotFound("nope.mesh.".into()));
    assert_eq!(resolver.addresses("nope.mesh.").await, not_found);
    assert!(matches!(
        resolver.srv("nope.mesh.").await,
        Err(DnsError::NotFound(_))
    ));
}

#[tokio::test]
async fn a_file_that_was_asked_for_must_be_there() {
    let path = PathBuf::from("/nonexistent/resolv.conf");
    let config = |path| DnsConfig {
        resolv_conf: Some(path),
        ..DnsConfig::default()
    };
    let err = SystemResolver::new(config(path)).err().unwrap().to_string();
    assert!(err.contains("/nonexistent/resolv.conf"), "{err}");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "nameserver 127.0.0.1").unwrap();
    SystemResolver::new(config(file.path().into())).unwrap();
}

#[tokio::test]
async fn without_any_server_the_hosts_file_still_works() {
    let (servers, options) = (ResolverConfig::default(), ResolverOpts::default());
    let resolver = SystemResolver::with_servers(DnsConfig::default(), servers, options).unwrap();
    let localhost = resolver.addresses("localhost").await.unwrap();
    assert!(
        localhost.records.iter().all(IpAddr::is_loopback),
        "{localhost:?}"
    );
    let err = resolver
        .addresses("dst.mesh")
        .await
        .unwrap_err()
        .to_string();
    assert!(err.contains("dst.mesh"), "{err}");
}
