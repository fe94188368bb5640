//! `stakeout init`: what it takes a directory for, and that what it writes works.

use stakeout::config::detect::{Project, detect};
use stakeout::config::{Setting, write};

use super::support::{Session, Tree};
use super::toml;

const GO: &str = "package main\nfunc main() {}\n";

/// Files of a project, and what is made of them: a part of what it is called, its build, and what
/// runs.
pub type Row =
    (&'static [(&'static str, &'static str)], &'static str, &'static [&'static str], &'static str);

pub const ROWS: &[Row] = &[
    (&[("go.mod", ""), ("main.go", GO)], "Go", &["go build -o ./tmp/app ."], "./tmp/app"),
    (
        &[("go.mod", ""), ("lib.go", "package lib\n"), ("cmd/api/main.go", GO), ("cmd/x/y.go", GO)],
        "Go",
        &["go build -o ./tmp/app ./cmd/api"],
        "./tmp/app",
    ),
    (&[("Cargo.toml", ""), ("Makefile", "")], "Rust", &["cargo build"], "cargo run --quiet"),
    (
        &[("pom.xml", "<artifactId>spring-boot-maven-plugin</artifactId>"), ("mvnw", "")],
        "Maven",
        &["./mvnw -q compile"],
        "./mvnw -q spring-boot:run",
    ),
    (
        &[("pom.xml", "<project/>")],
        "Maven",
        &["mvn -q package -DskipTests"],
        "sh -c exec java -jar target/*.jar",
    ),
    (
        &[("build.gradle.kts", "id(\"org.springframework.boot\")"), ("gradlew", "")],
        "Gradle project (build.gradle.kts)",
        &["./gradlew --quiet classes"],
        "./gradlew --quiet bootRun",
    ),
    (&[("build.gradle", "")], "Gradle", &["gradle --quiet classes"], "gradle --quiet run"),
    (
        &[("artisan", ""), ("composer.json", "{}"), ("package.json", "{}")],
        "Laravel",
        &[],
        "php artisan serve --no-reload --host=0.0.0.0 --port=8000",
    ),
    (
        &[("composer.json", ""), ("public/index.php", "")],
        "PHP",
        &[],
        "php -S 0.0.0.0:8000 -t public",
    ),
    (&[("index.php", "")], "PHP", &[], "php -S 0.0.0.0:8000 -t ."),
    (&[("Gemfile", ""), ("bin/rails", "")], "Rails", &[], "bin/rails server -b 0.0.0.0"),
    (
        &[("Gemfile", "gem 'puma'"), ("config.ru", "")],
        "Rack",
        &[],
        "bundle exec puma -b tcp://0.0.0.0:9292",
    ),
    (&[("Gemfile", ""), ("config.ru", "")], "Rack", &[], "bundle exec rackup -o 0.0.0.0"),
    (&[("Gemfile", ""), ("main.rb", "")], "Ruby", &[], "bundle exec ruby main.rb"),
    (
        &[("manage.py", ""), ("requirements.txt", "django\ngunicorn\n"), ("package.json", "{}")],
        "Django",
        &[],
        "python3 manage.py runserver --noreload 0.0.0.0:8000",
    ),
    (
        &[
            ("pyproject.toml", "dependencies = ['FastAPI']"),
            ("uv.lock", ""),
            ("app/main.py", "api = FastAPI()\n"),
        ],
        "uvicorn (pyproject.toml)",
        &[],
        "uv run uvicorn app.main:api --host 0.0.0.0 --port 8000",
    ),
    (
        &[("requirements.txt", "flask==3\n"), ("app.py", "app: Flask = flask.Flask(__name__)\n")],
        "Flask",
        &[],
        "flask --app app:app run --host 0.0.0.0 --port 8000",
    ),
    (
        &[("Pipfile", "gunicorn = '*'"), ("wsgi.py", "application = get_wsgi_application()\n")],
        "gunicorn",
        &[],
        "pipenv run gunicorn -b 0.0.0.0:8000 wsgi:application",
    ),
    (
        &[("requirements.txt", "gunicorn\n"), ("wsgi.py", "def application(env, start):\n")],
        "gunicorn",
        &[],
        "gunicorn -b 0.0.0.0:8000 wsgi:application",
    ),
    (
        &[("requirements.txt", "uvicorn\n"), ("server.py", "import made\n")],
        "uvicorn",
        &[],
        "uvicorn server:app --host 0.0.0.0 --port 8000",
    ),
    (&[("server.py", "print(1)\n")], "Python project (server.py)", &[], "python3 server.py"),
    (
        &[
            ("package.json", r#"{"scripts": {"start": "node dist/x.js", "build": "tsc"}}"#),
            ("pnpm-lock.yaml", ""),
        ],
        "Node",
        &["pnpm run build"],
        "pnpm run start",
    ),
    (
        &[
            ("package.json", r#"{"scripts": {"start": "node x.js", "build": "tsc"}}"#),
            ("yarn.lock", ""),
        ],
        "Node",
        &[],
        "yarn run start",
    ),
    (
        &[(
            "package.json",
            r#"{"packageManager": "pnpm@9.1.0", "scripts": {"start": "node x.js"}}"#,
        )],
        "Node",
        &[],
        "pnpm run start",
    ),
    (&[("package.json", r#"{"scripts": {"dev": "nodemon x"}}"#)], "Node", &[], "npm run dev"),
    (&[("package.json", "{"), ("server.js", "")], "Node", &[], "node server.js"),
    (&[("package.json", r#"{"main": "lib/a.js"}"#)], "Node", &[], "node lib/a.js"),
    (
        &[("CMakeLists.txt", "project(x)\nadd_executable( server main.c )\n"), ("main.c", "")],
        "CMake",
        &["cmake -S . -B build", "cmake --build build"],
        "./build/server",
    ),
    (&[("Makefile", "run: all\n\t./x\n")], "make (Makefile)", &["make"], "make run"),
    (
        &[("Makefile", "x.o: x.c\n\tcc -c -o x.o x.c\nall: x.o\n\tcc -o bin/x x.o\n")],
        "make",
        &["make"],
        "./bin/x",
    ),
    (&[("main.c", "")], "C", &["mkdir -p build && cc -Wall -g -o build/app *.c"], "./build/app"),
];

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::new(files)
}

fn values<'a>(settings: &'a [Setting], name: &str) -> &'a [String] {
    settings.iter().find(|setting| setting.key.name == name).map_or(&[], Setting::values)
}

#[test]
fn projects_are_known_by_their_files() {
    for (files, what, build, run) in ROWS {
        let tree = tree(files);
        let project = detect(&tree.path("")).unwrap_or_else(|| panic!("{files:?}"));
        assert!(project.what.contains(what), "{files:?}: {}", project.what);
        assert_eq!(project.build, *build, "{files:?}");
        assert_eq!(project.run.join(" "), *run, "{files:?}");
    }
    assert_eq!(detect(&tree(&[("README.md", "")]).path("")), None);
}

#[test]
fn what_is_written_is_read_again() {
    let projects = ROWS.iter().map(|(files, ..)| detect(&tree(files).path("")));
    for project in projects.chain([None]) {
        let text = write::beginning(project.as_ref());
        let config = toml(&text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
        let service = &config.services[0];
        let Project { exts, include, exclude, build, outputs, run, .. } =
            project.unwrap_or_default();
        assert_eq!(values(&config.watch, "exts"), exts, "{text}");
        assert_eq!(values(&config.watch, "include"), include, "{text}");
        assert_eq!(values(&config.watch, "exclude"), exclude, "{text}");
        assert_eq!(values(&service.settings, "build"), build, "{text}");
        assert_eq!(values(&service.settings, "build-outputs"), outputs, "{text}");
        assert_eq!(values(&service.settings, "run"), run, "{text}");
    }
}

#[test]
fn what_is_a_comment_works_without_its_mark() {
    let text = write::beginning(None);
    let is_key = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if is_key(rest) => rest,
        _ => line,
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let config = toml(&text).unwrap_or_else(|problems| panic!("{problems:?} in {text}"));
    assert_eq!(config.watch.len() + config.services[0].settings.len(), 11, "{text}");
}

#[test]
fn a_program_in_c_runs_after_init_alone() {
    let program = |version: u32| {
        format!(
            "#include <stdio.h>\n#include <unistd.h>\n\
             int main(void) {{ puts(\"version {version}\"); fflush(stdout); pause(); return 0; }}\n"
        )
    };
    let tree = Tree::new(&[("main.c", &program(1))]);
    let output = tree.stakeout().arg("init").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("wrote stakeout.toml, for sources in C"),
        "{said}"
    );
    let mut session = Session::start(tree.stakeout());
    session.wait_for("configured by stakeout.toml");
    session.wait_for("version 1");
    tree.write("main.c", &program(2));
    session.wait_for("version 2");
}

#[test]
fn nothing_is_written_over_without_force() {
    let tree = Tree::new(&[("stakeout.toml", "# mine\n"), ("go.mod", "")]);
    let run = |words: &[&str]| {
        let output = tree.stakeout().arg("init").args(words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, error) = run(&[]);
    assert_eq!(status, Some(2));
    assert!(error.contains("stakeout.toml already") && error.contains("--force"), "{error}");
    assert_eq!(std::fs::read_to_string(tree.path("stakeout.toml")).unwrap(), "# mine\n");
    assert_eq!(run(&["--force"]).0, Some(0));
    assert!(std::fs::read_to_string(tree.path("stakeout.toml")).unwrap().contains("go build"));
}

#[test]
fn a_file_in_yaml_is_not_put_out_of_use_without_force() {
    let tree = Tree::new(&[("stakeout.yml", "output: {}\n"), ("go.mod", "")]);
    let run = |words: &[&str]| tree.stakeout().arg("init").args(words).output().unwrap();
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("stakeout.yml") && !tree.path("stakeout.toml").exists(), "{error}");
    assert_eq!(run(&["--force"]).status.code(), Some(0));
}

#[test]
fn where_nothing_is_known_that_is_said() {
    let tree = Tree::new(&[("README.md", "")]);
    let output = tree.stakeout().arg("init").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("has to be written"), "{said}");
}
