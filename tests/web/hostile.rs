//! Clients that mean no good, or do not know better.

use std::io::{BufRead, Write};
use std::time::Instant;

use crate::client::{Client, get, request};
use crate::in_front_of;
use crate::upstream::Upstream;

#[test]
fn whatever_is_sent_the_next_one_is_answered() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let (_tree, mut session, address) = in_front_of(&upstream, &[]);
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    for nonsense in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost : b\r\n\r\n",
        "GET / HTTP/1.1\nhost: a\r\n x: folded\r\n\r\n",
        "GET http:// HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n",
        &long,
        &many,
    ] {
        let mut client = Client::new(address);
        // It may hang up before it has read all of that.
        if client.try_send(nonsense).is_ok()
            && let Ok(answer) = client.try_answer(true)
        {
            assert!(answer.status >= 400, "{} to {:.60}", answer.status, nonsense);
        }
        assert_eq!(get(address, "/", &[]).text(), "ok", "after {nonsense:.60}");
    }
    assert!(!session.has_ended());
}

#[test]
fn no_request_is_hidden_in_another() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    // Of two ways to tell where a body ends one is passed on at the most (RFC 9112, section 6.1).
    let mut client = Client::new(address);
    client.send(
        "POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nGET /hidden HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    _ = client.try_answer(true);
    // Whatever is done with it, the program is asked for nothing that is framed both ways.
    get(address, "/last", &[]);
    loop {
        let asked = upstream.asked();
        assert!(
            !(asked.contains("content-length") && asked.contains("transfer-encoding")),
            "{asked}"
        );
        if asked.starts_with("GET /last") {
            break;
        }
    }
}

#[test]
fn who_takes_for_ever_holds_up_nobody_and_is_left() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let (_tree, _session, address) = in_front_of(&upstream, &[]);
    let began = Instant::now();
    let mut slow: Vec<Client> = (0..100).map(|_| Client::new(address)).collect();
    for (number, client) in slow.iter_mut().enumerate() {
        // One in three says nothing at all, others begin as HTTP/1 or HTTP/2 does.
        match number % 3 {
            0 => {}
            1 => client.send("GET / HTTP/1.1\r\nhost: a\r\nx-slow: "),
            _ => client.send("PRI * HT"),
        }
    }
    assert_eq!(get(address, "/", &[]).text(), "ok");
    for client in &mut slow {
        // Nothing, a 408, or a reset: what matters is that it ends.
        while client.bytes(1).is_ok() {}
    }
    assert!(began.elapsed().as_secs() < 60, "they are left in time");
    assert_eq!(get(address, "/", &[]).text(), "ok");
}

#[test]
fn connections_that_go_on_as_websockets_count_as_well() {
    let upstream = Upstream::new(|_, stream| {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
            upgrade: websocket\r\n\r\n";
        stream.get_mut().write_all(answer).expect("to be read");
        // It stays open for as long as the client wants.
        while stream.read_line(&mut String::new()).is_ok_and(|count| count > 0) {}
        false
    });
    let tree = crate::support::Tree::new(&[("a", "1")]);
    let route = format!("0={}", upstream.address);
    let mut command = std::process::Command::new("sh");
    // Sixteen connections may be open then.
    let script = format!(
        "ulimit -n 128; exec {} --control off --interval 20ms --http 0 --proxy {route}",
        env!("CARGO_BIN_EXE_stakeout")
    );
    command.args(["-c", &script]).current_dir(tree.path(""));
    let mut session = crate::support::Session::start(command);
    let address = crate::address(&mut session, "shows what listens");
    let pages = crate::address(&mut session, "shows how stakeout is");
    session.wait_for("watching");
    let open = || {
        let mut client = Client::new(address);
        let lines = ["connection: upgrade", "upgrade: websocket"];
        client.send(request("GET", "/", &lines));
        client
    };
    let mut clients: Vec<Client> = (0..100).map(|_| open()).collect();
    for client in &mut clients[..16] {
        assert_eq!(client.answer(false).status, 101);
    }
    // Our own pages have seats of their own, and the tree can be looked at.
    assert_eq!(get(pages, "/healthz", &[]).status, 200);
    tree.save_by_rename("a", "2");
    session.wait_for("modified a");
    // When one leaves, another may come.
    clients.drain(..16);
    assert_eq!(clients[0].answer(false).status, 101);
}

#[test]
fn an_upstream_that_speaks_nonsense_is_an_error_and_no_end() {
    let upstream = Upstream::new(|head, stream| {
        let answer: &[u8] = match head {
            head if head.contains("/hangs-up") => b"",
            head if head.contains("/nonsense") => b"what?\r\n\r\n",
            head if head.contains("/cut") => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx",
            head if head.contains("/unasked") => {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
            }
            head if head.contains("/badzip") => {
                b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: gzip\r\n\
                  content-length: 9\r\n\r\nnot gzip!"
            }
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        };
        stream.get_mut().write_all(answer).expect("to be read");
        false
    });
    let (_tree, mut session, address) = in_front_of(&upstream, &["--proxy-wait", "1s"]);
    for (path, status) in [("/hangs-up", 502), ("/nonsense", 502), ("/unasked", 502)] {
        let answer = get(address, path, &[]);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    for path in ["/cut", "/badzip"] {
        let mut client = Client::new(address);
        client.send(request("GET", path, &[crate::client::PAGE]));
        assert!(client.try_answer(true).is_err(), "{path} is not taken for whole");
    }
    assert_eq!(get(address, "/", &[]).text(), "ok");
    assert!(!session.has_ended());
}
