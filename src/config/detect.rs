//! What kind of project a directory is, by the files that it has, and how such a one is run.

use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

/// A project that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// What it is, and by which file that is known.
    pub what: String,
    /// The extensions of its sources.
    pub exts: Vec<&'static str>,
    /// What counts besides.
    pub include: Vec<String>,
    /// Which of them are no reason to do anything.
    pub exclude: Vec<&'static str>,
    /// Commands for a shell that build it.
    pub build: Vec<String>,
    /// What these write into the tree.
    pub outputs: Vec<String>,
    /// The words of the command that runs it.
    pub run: Vec<String>,
    /// What to know of that.
    pub note: Option<&'static str>,
}

/// What a directory is, if that is known. Where several answers fit, what builds the server comes
/// before what builds its pages.
pub fn detect(directory: &Path) -> Option<Project> {
    let files = Files(directory);
    let kinds = [go, rust, java, php, ruby, python, node, cmake, make, c];
    kinds.iter().find_map(|kind| kind(&files))
}

/// The files of a directory.
struct Files<'a>(&'a Path);

impl Files<'_> {
    fn has(&self, path: &str) -> bool {
        self.0.join(path).is_file()
    }

    /// The text of a file, or nothing.
    fn text(&self, path: &str) -> String {
        super::find::text(&self.0.join(path)).unwrap_or_default()
    }

    /// The first of these that is there.
    fn first<'p>(&self, paths: &[&'p str]) -> Option<&'p str> {
        paths.iter().copied().find(|path| self.has(path))
    }

    /// The names in a directory, sorted.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(path)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn go(files: &Files<'_>) -> Option<Project> {
    files.has("go.mod").then_some(())?;
    let commands = files.names("cmd").into_iter().map(|name| format!("cmd/{name}"));
    let package = match files.names(".").iter().any(|name| is_go_main(files, name)) {
        true => ".".to_owned(),
        false => commands
            .filter(|command| {
                let names = files.names(command);
                names.iter().any(|name| is_go_main(files, &format!("{command}/{name}")))
            })
            .map(|command| format!("./{command}"))
            .next()
            .unwrap_or(".".into()),
    };
    Some(Project {
        what: "a Go module (go.mod)".into(),
        exts: vec!["go", "mod", "sum", "tmpl", "html"],
        include: Vec::new(),
        exclude: vec!["*_test.go"],
        build: vec![format!("go build -o ./tmp/app {package}")],
        outputs: vec!["/tmp/".into()],
        run: words("./tmp/app"),
        note: None,
    })
}

fn is_go_main(files: &Files<'_>, path: &str) -> bool {
    let is_source = path.ends_with(".go") && !path.ends_with("_test.go");
    is_source && files.text(path).lines().any(|line| line.trim_end() == "package main")
}

fn rust(files: &Files<'_>) -> Option<Project> {
    files.has("Cargo.toml").then(|| Project {
        what: "a Rust package (Cargo.toml)".into(),
        exts: vec!["rs", "toml"],
        build: vec!["cargo build".into()],
        run: words("cargo run --quiet"),
        note: Some("With several programs, add `--bin NAME`."),
        ..Project::default()
    })
}

fn java(files: &Files<'_>) -> Option<Project> {
    let exts = vec!["java", "kt", "xml", "properties", "yml", "gradle", "kts"];
    if files.has("pom.xml") {
        let maven = if files.has("mvnw") { "./mvnw" } else { "mvn" };
        let is_spring = files.text("pom.xml").contains("spring-boot-maven-plugin");
        let (build, run) = match is_spring {
            true => (format!("{maven} -q compile"), format!("{maven} -q spring-boot:run")),
            false => (format!("{maven} -q package -DskipTests"), "sh -c".into()),
        };
        let jar = (!is_spring).then(|| "exec java -jar target/*.jar".to_owned());
        return Some(Project {
            what: "a Maven project (pom.xml)".into(),
            exts,
            build: vec![build],
            outputs: vec!["target/".into()],
            run: words(&run).into_iter().chain(jar).collect(),
            ..Project::default()
        });
    }
    let file = files.first(&["build.gradle", "build.gradle.kts"])?;
    let gradle = if files.has("gradlew") { "./gradlew" } else { "gradle" };
    let is_spring = files.text(file).contains("org.springframework.boot");
    let task = if is_spring { "bootRun" } else { "run" };
    Some(Project {
        what: format!("a Gradle project ({file})"),
        exts,
        build: vec![format!("{gradle} --quiet classes")],
        outputs: vec!["build/".into(), "bin/".into()],
        run: words(&format!("{gradle} --quiet {task}")),
        note: (!is_spring).then_some("The task `run` is that of Gradle's application plugin."),
        ..Project::default()
    })
}

fn php(files: &Files<'_>) -> Option<Project> {
    let exts = vec!["php", "twig", "json"];
    let project = |what: &str, run: &str| {
        Some(Project { what: what.into(), exts, run: words(run), ..Project::default() })
    };
    match files.first(&["artisan", "composer.json", "public/index.php", "index.php"])? {
        "artisan" => project(
            "a Laravel application (artisan)",
            "php artisan serve --no-reload --host=0.0.0.0 --port=8000",
        ),
        file => {
            let root = if files.has("public/index.php") { "public" } else { "." };
            let what = format!("a PHP project ({file})");
            project(&what, &format!("php -S 0.0.0.0:8000 -t {root}"))
        }
    }
}

fn ruby(files: &Files<'_>) -> Option<Project> {
    let exts = vec!["rb", "ru", "erb", "yml"];
    let project = |what: &str, run: &str, note| {
        Some(Project { what: what.into(), exts, run: words(run), note, ..Project::default() })
    };
    let gems = files.text("Gemfile");
    if files.has("bin/rails") {
        let note = "Rails loads most changed code by itself; leave `app/` out of what is watched \
                    to let it.";
        return project(
            "a Rails application (bin/rails)",
            "bin/rails server -b 0.0.0.0",
            Some(note),
        );
    }
    if files.has("config.ru") {
        let server = match gems.contains("puma") {
            true => "bundle exec puma -b tcp://0.0.0.0:9292",
            false => "bundle exec rackup -o 0.0.0.0",
        };
        return project("a Rack application (config.ru)", server, None);
    }
    files.has("Gemfile").then_some(())?;
    let main = files.first(&["app.rb", "main.rb", "server.rb"]).unwrap_or("app.rb");
    project("a Ruby project (Gemfile)", &format!("bundle exec ruby {main}"), None)
}

fn python(files: &Files<'_>) -> Option<Project> {
    const MODULES: [&str; 9] = [
        "main.py",
        "app.py",
        "wsgi.py",
        "asgi.py",
        "server.py",
        "app/main.py",
        "src/main.py",
        "app/__init__.py",
        "api/main.py",
    ];
    let declared = ["requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "uv.lock"];
    let main = files.first(&MODULES);
    let file = files.first(&["manage.py"]).or_else(|| files.first(&declared)).or(main)?;
    let needs = declared.map(|file| files.text(file)).concat().to_lowercase();
    let sources = MODULES.map(|file| files.text(file)).concat().to_lowercase();
    let uses = |name: &str| needs.contains(name) || sources.contains(&format!("import {name}"));
    let imports = |name: &str| uses(name) || sources.contains(&format!("from {name}"));

    let runner = match files.first(&["uv.lock", "poetry.lock", "Pipfile"]) {
        Some("uv.lock") => "uv run ",
        Some("poetry.lock") => "poetry run ",
        Some(_) => "pipenv run ",
        None => "",
    };
    let python = if runner.is_empty() { "python3" } else { "python" };
    let application = application(files, &MODULES);
    let (what, run) = if files.has("manage.py") {
        let run = format!("{python} manage.py runserver --noreload 0.0.0.0:8000");
        ("a Django project", run)
    } else if ["uvicorn", "fastapi", "starlette"].into_iter().any(imports) {
        let run = format!("uvicorn {application} --host 0.0.0.0 --port 8000");
        ("an ASGI application for uvicorn", run)
    } else if imports("gunicorn") {
        ("a WSGI application for gunicorn", format!("gunicorn -b 0.0.0.0:8000 {application}"))
    } else if imports("flask") {
        let run = format!("flask --app {application} run --host 0.0.0.0 --port 8000");
        ("a Flask application", run)
    } else {
        ("a Python project", format!("{python} {}", main.unwrap_or("main.py")))
    };
    Some(Project {
        what: format!("{what} ({file})"),
        exts: vec!["py", "toml", "html", "jinja"],
        run: words(&format!("{runner}{run}")),
        ..Project::default()
    })
}

/// The module and the name of an application object, as `main:app`.
fn application(files: &Files<'_>, modules: &[&str]) -> String {
    let ways = [
        // Made by what makes one, or called and written as one.
        r"(?m)^(\w+)\s*(?::[^=\n]*)?=\s*(?:\w+\.)?(?:FastAPI|Starlette|Flask|get_[aw]sgi_application|create_app)\(",
        r"(?m)^(?:async\s+def\s+|def\s+)?(app|application)\s*[(:=]",
    ];
    let module =
        |file: &str| file.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".");
    let found = ways.iter().find_map(|way| {
        let way = Regex::new(way).ok()?;
        modules.iter().find_map(|file| {
            let text = files.text(file);
            Some(format!("{}:{}", module(file), way.captures(&text)?.get(1)?.as_str()))
        })
    });
    found.unwrap_or_else(|| format!("{}:app", module(files.first(modules).unwrap_or("main.py"))))
}

fn node(files: &Files<'_>) -> Option<Project> {
    files.has("package.json").then_some(())?;
    let package: Value = serde_json::from_str(&files.text("package.json")).unwrap_or_default();
    let script = |name: &str| package["scripts"][name].as_str();
    // As corepack reads it: pnpm@9.1.0, for example.
    let declared = package["packageManager"].as_str().and_then(|it| it.split('@').next());
    let manager = match files.first(&["pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"]) {
        Some("pnpm-lock.yaml") => "pnpm",
        Some("yarn.lock") => "yarn",
        Some(_) => "bun",
        None => declared.filter(|it| ["pnpm", "yarn", "bun"].contains(it)).unwrap_or("npm"),
    };
    let mut project = Project {
        what: "a Node package (package.json)".into(),
        exts: vec!["js", "mjs", "cjs", "jsx", "ts", "tsx", "json"],
        ..Project::default()
    };
    if let Some(start) = script("start") {
        let directories = ["dist", "build", "out", "lib", ".next"];
        let is_next = start.contains("next start");
        let output = directories.into_iter().find(|directory| {
            start.contains(&format!("{directory}/")) || (is_next && *directory == ".next")
        });
        if let (Some(output), Some(_)) = (output, script("build")) {
            project.build = vec![format!("{manager} run build")];
            project.outputs = vec![format!("/{output}/")];
        }
        project.run = words(&format!("{manager} run start"));
    } else if let Some(dev) = script("dev") {
        project.run = words(&format!("{manager} run dev"));
        let watches = ["nodemon", "--watch", "vite", "next dev", "tsx watch"];
        if watches.iter().any(|tool| dev.contains(tool)) {
            project.note = Some(
                "The script `dev` seems to watch by itself; name the server here instead, for \
                 example [\"node\", \"server.js\"].",
            );
        }
    } else {
        let main = package["main"].as_str();
        let main =
            main.or_else(|| files.first(&["server.js", "index.js", "app.js", "src/index.js"]));
        project.run = vec!["node".into(), main.unwrap_or("index.js").into()];
    }
    Some(project)
}

const C: [&str; 7] = ["c", "h", "cc", "cpp", "cxx", "hpp", "hh"];

fn cmake(files: &Files<'_>) -> Option<Project> {
    files.has("CMakeLists.txt").then_some(())?;
    let text = files.text("CMakeLists.txt");
    let target = Regex::new(r"(?i)\badd_executable\s*\(\s*([\w.-]+)").ok();
    let target =
        target.and_then(|target| Some(target.captures(&text)?.get(1)?.as_str().to_owned()));
    Some(Project {
        what: "a CMake project (CMakeLists.txt)".into(),
        exts: [&C[..], &["txt", "cmake"]].concat(),
        build: vec!["cmake -S . -B build".into(), "cmake --build build".into()],
        outputs: vec!["/build/".into()],
        run: vec![format!("./build/{}", target.unwrap_or("main".into()))],
        ..Project::default()
    })
}

fn make(files: &Files<'_>) -> Option<Project> {
    let file = files.first(&["GNUmakefile", "makefile", "Makefile"])?;
    let text = files.text(file);
    let is_rule = |name: &str| text.lines().any(|line| line.starts_with(&format!("{name}:")));
    let output = Regex::new(r"\s-o\s+([\w./-]+)").ok();
    let is_program = |file: &&str| ![".o", ".a", ".so", ".d"].iter().any(|end| file.ends_with(end));
    let output = output.and_then(|output| {
        let mut files = output.captures_iter(&text).filter_map(|it| Some(it.get(1)?.as_str()));
        files.find(is_program).map(str::to_owned)
    });
    let run = match (is_rule("run"), &output) {
        (true, _) => words("make run"),
        (false, Some(output)) => vec![format!("./{}", output.trim_start_matches("./"))],
        (false, None) => words("./main"),
    };
    Some(Project {
        what: format!("a project built by make ({file})"),
        exts: [&C[..], &["mk"]].concat(),
        include: vec![format!("/{file}")],
        build: vec!["make".into()],
        run,
        note: Some("The program that make builds."),
        ..Project::default()
    })
}

fn c(files: &Files<'_>) -> Option<Project> {
    let names = files.names(".");
    let has = |extension: &str| names.iter().any(|name| name.ends_with(extension));
    let (compiler, pattern) = match (has(".c"), has(".cpp"), has(".cc")) {
        (true, ..) => ("cc", "*.c"),
        (_, true, _) => ("c++", "*.cpp"),
        (.., true) => ("c++", "*.cc"),
        _ => return None,
    };
    Some(Project {
        what: format!("sources in C or C++ ({pattern})"),
        exts: C.to_vec(),
        build: vec![format!("mkdir -p build && {compiler} -Wall -g -o build/app {pattern}")],
        outputs: vec!["/build/".into()],
        run: words("./build/app"),
        ..Project::default()
    })
}
