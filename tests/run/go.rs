//! A Go project as its team has it, with the .air.toml that `air init` has written for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use super::skip::skip;
use super::support::{Session, Tree, read};

const FILES: &[(&str, &str)] = &[
    ("go.mod", "module example.com/shop\n\ngo 1.19\n"),
    (
        "main.go",
        r#"package main

import (
	"fmt"
	"net"
	"net/http"

	"example.com/shop/internal/page"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("serving at", listener.Addr())
	http.Serve(listener, page.Handler())
}
"#,
    ),
    (
        "internal/page/page.go",
        r#"package page

import (
	"html/template"
	"net/http"
)

const Title = "first"

func Handler() http.Handler {
	page := template.Must(template.ParseFiles("web/index.tmpl"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Execute(w, Title)
	})
}
"#,
    ),
    ("internal/page/page_test.go", "package page\n"),
    ("web/index.tmpl", "<h1>{{.}}</h1>"),
    ("assets/site.css", "h1 { color: red }"),
    (".gitignore", "tmp/\n"),
    (
        ".air.toml",
        r#"root = "."
testdata_dir = "testdata"
tmp_dir = "tmp"

[build]
  args_bin = []
  bin = "./tmp/main"
  cmd = "go build -o ./tmp/main ."
  delay = 100
  exclude_dir = ["assets", "tmp", "vendor", "testdata"]
  exclude_file = []
  exclude_regex = ["_test.go"]
  exclude_unchanged = false
  follow_symlink = false
  full_bin = ""
  include_dir = []
  include_ext = ["go", "tpl", "tmpl", "html"]
  include_file = []
  kill_delay = "0s"
  log = "build-errors.log"
  poll = false
  poll_interval = 0
  post_cmd = []
  pre_cmd = []
  rerun = false
  rerun_delay = 500
  send_interrupt = false
  stop_on_error = false

[[build.rules]]
  name = "styles"
  cmd = "cp assets/site.css tmp/styles"
  include_dir = ["assets"]
  include_ext = ["css"]

[color]
  app = ""
  build = "yellow"
  main = "magenta"
  runner = "green"
  watcher = "cyan"

[log]
  main_only = false
  time = false

[misc]
  clean_on_exit = false

[proxy]
  app_port = 0
  enabled = false
  proxy_port = 0

[screen]
  clear_on_rebuild = false
  keep_scroll = true
"#,
    ),
];

/// What the server at the address in this line answers.
fn answer(line: &str) -> String {
    let address = line.rsplit(' ').next().expect("an address");
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.rsplit("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn an_air_project_runs_as_it_is() {
    let tree = Tree::new(FILES);
    // Without a cache this takes longer than anybody should have to wait for a line.
    let mut build = Command::new("go");
    build.args(["build", "-o", "/dev/null", "."]).current_dir(tree.path("."));
    match build.status() {
        Err(error) => return skip(&format!("needs go: {error}")),
        Ok(status) => assert!(status.success(), "{status}"),
    }
    let mut session = Session::start(tree.stakeout());
    let line = session.wait_for("serving at");
    assert_eq!(answer(&line), "<h1>first</h1>");
    assert_eq!(session.seen("has no meaning here"), 0, "{}", session.output());

    let page = read(&tree.path("internal/page/page.go"));
    tree.save_by_rename("internal/page/page.go", &page.replace("first", "second"));
    let line = session.wait_for("serving at");
    assert_eq!(answer(&line), "<h1>second</h1>");

    tree.save_by_rename("internal/page/page.go", &page.replace("\"first\"", "first"));
    session.wait_for("undefined: first");
    session.wait_for("BUILD FAILED");
    assert_eq!(answer(&line), "<h1>second</h1>", "what runs goes on");

    // None of the program's, and nothing of what happens now is a start.
    tree.save_by_rename("internal/page/page_test.go", "package page // tested\n");
    tree.save_by_rename("assets/site.css", "h1 { color: blue }");
    session.wait_for("rule styles for 1 path");
    session.wait_for("styles: done in");
    assert_eq!(read(&tree.path("tmp/styles")), "h1 { color: blue }");
    assert_eq!(session.seen("starting"), 2, "{}", session.output());

    tree.save_by_rename("web/index.tmpl", "<p>{{.}}</p>");
    session.wait_for("BUILD FAILED");
    tree.save_by_rename("internal/page/page.go", &page.replace("first", "third"));
    let line = session.wait_for("serving at");
    assert_eq!(answer(&line), "<p>third</p>");
    // What `send_interrupt = false` means to air.
    assert_eq!(session.terminate().code(), Some(137), "{}", session.output());
}
