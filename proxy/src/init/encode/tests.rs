use super::{super::rules::Verdict, *};
use crate::init::netlink::{attribute, attributes, messages, text};

fn replacing(rules: [(Match, Verdict); 1]) -> Batch {
    let rules = rules.map(|(on, then)| Rule { on, then }).to_vec();
    let chain = |name, hook, rules| Chain { name, hook, rules };
    replace(&Ruleset([
        chain("inbound", Hook::Prerouting, rules),
        chain("outbound", Hook::Output, Vec::new()),
    ]))
}

/// The messages as type, flags and attributes.
fn parts(batch: &Batch) -> Vec<(u16, u16, &[u8])> {
    let parts = messages(&batch.bytes);
    parts
        .map(|part| (part.kind, part.flags, &part.body[4..]))
        .collect()
}

#[test]
fn a_table_is_made_deleted_and_made_between_begin_and_end() {
    let batch = replacing([(Match::Tcp, Verdict::Return)]);
    let kinds: Vec<_> = parts(&batch).iter().map(|(kind, ..)| *kind).collect();
    let tables = [0xa00, 0xa02, 0xa00];
    assert_eq!(kinds[..4], [&[16], &tables[..]].concat());
    assert_eq!(kinds[4..], [0xa03, 0xa03, 0xa06, 17]);
    assert_eq!(batch.steps.len(), 6, "all but begin and end are answered");
    let kinds: Vec<_> = messages(&remove().bytes).map(|part| part.kind).collect();
    assert_eq!(kinds, [16, 0xa00, 0xa02, 17]);
}

#[test]
fn begin_and_end_name_the_subsystem_and_the_rest_the_family() {
    let batch = replacing([(Match::Tcp, Verdict::Return)]);
    let all: Vec<_> = messages(&batch.bytes).collect();
    for (i, part) in all.iter().enumerate() {
        let (header, answered): ([u8; 4], _) = match i == 0 || i + 1 == all.len() {
            true => ([0, 0, 0, 10], false),
            false => ([1, 0, 0, 0], true),
        };
        assert_eq!(part.body[..4], header);
        assert_eq!(part.flags & ACK != 0, answered);
    }
}

#[test]
fn a_chain_is_hooked() {
    let batch = replacing([(Match::Tcp, Verdict::Return)]);
    let (_, _, outbound) = parts(&batch)[5];
    assert_eq!(text(outbound, 1), "mesh_proxy");
    assert_eq!(text(outbound, 3), "outbound");
    assert_eq!(text(outbound, 7), "nat");
    let hook = attribute(outbound, 4).unwrap();
    assert_eq!(attribute(hook, 1), Some(&[0, 0, 0, 3][..]));
    assert_eq!(attribute(hook, 2), Some(&(-100_i32).to_be_bytes()[..]));
}

/// The expressions of the only rule, and their data.
fn expressions(batch: &Batch) -> Vec<(String, Vec<u8>)> {
    let parts = parts(batch);
    let (_, _, rule) = parts.iter().find(|part| part.0 == NEW_RULE).unwrap();
    let list = attributes(attribute(rule, 4).unwrap());
    list.map(|(_, one)| (text(one, 1).to_owned(), attribute(one, 2).unwrap().to_vec()))
        .collect()
}

#[test]
fn a_redirection_is_a_port_in_a_register() {
    let batch = replacing([(Match::Uid(2102), Verdict::Redirect(4143))]);
    let expressions = expressions(&batch);
    let names: Vec<_> = expressions.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["meta", "cmp", "immediate", "redir"]);
    let meta = &expressions[0].1;
    assert_eq!(attribute(meta, 2), Some(&[0, 0, 0, 10][..]));
    let compared = attribute(&expressions[1].1, 3).unwrap();
    assert_eq!(attribute(compared, 1), Some(&2102_u32.to_ne_bytes()[..]));
    let port = attribute(&expressions[2].1, 2).unwrap();
    assert_eq!(attribute(port, 1), Some(&4143_u16.to_be_bytes()[..]));
    assert_eq!(attribute(&expressions[3].1, 1), Some(&[0, 0, 0, 1][..]));
}

#[test]
fn ports_are_looked_up_in_a_set_of_marks() {
    let ports = [25..=25, 9000..=9002].into_iter().collect();
    let batch = replacing([(Match::TcpPorts(ports), Verdict::Return)]);
    let names: Vec<_> = expressions(&batch)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["meta", "cmp", "payload", "lookup", "immediate"]);
    let parts = parts(&batch);
    let place = |kind| parts.iter().position(|part| part.0 == kind).unwrap();
    assert!(place(NEW_SET) < place(NEW_SET_ELEMENTS) && place(NEW_SET_ELEMENTS) < place(NEW_RULE));
    let (_, _, set) = parts[place(NEW_SET)];
    assert_eq!(attribute(set, 4), Some(&[0, 0, 0, 13][..]), "inet_service");
    assert_eq!(attribute(set, 5), Some(&[0, 0, 0, 2][..]));
    let (_, _, elements) = parts[place(NEW_SET_ELEMENTS)];
    let marks: Vec<_> = attributes(attribute(elements, 3).unwrap())
        .map(|(_, one)| {
            let key = attribute(attribute(one, 1).unwrap(), 1).unwrap();
            let end = attribute(one, 3).is_some();
            (u16::from_be_bytes(key.try_into().unwrap()), end)
        })
        .collect();
    let expected = [
        (0, true),
        (25, false),
        (26, true),
        (9000, false),
        (9003, true),
    ];
    assert_eq!(marks, expected);
}
