"""kernel/errors/leaks.py: stack traces of every language, and connection strings of every driver."""

import time

import pytest

from gateway.kernel.errors.leaks import without_connections, without_trace


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("boom\n\tat com.example.Foo.bar(Foo.java:12)\n\t... 23 more", "boom"),
        ("E: boom at com.example.Foo.bar(Foo.java:12) at com.example.Main.main(Main.java:3)", "E: boom"),
        ("boom at java.base/java.lang.Thread.run(Thread.java:833)", "boom"),
        ("boom at com.sun.proxy.$Proxy12.foo(Unknown Source)", "boom"),
        ("boom Caused by: java.lang.Secret", "boom"),
        ("boom; nested exception is java.lang.Secret", "boom"),
        ("boom at kotlin.Foo.invoke(Foo.kt:3)", "boom"),
        ("boom\n   at Foo.Bar.Baz(String a) in C:\\src\\x.cs:line 42", "boom"),
        ("boom at Foo.Bar.<>c.<Baz>b__0(Object o)", "boom"),
        ("boom --- End of inner exception stack trace ---", "boom"),
        ("boom\n    at Object.<anonymous> (/srv/app/x.js:7:1)", "boom"),
        ("boom at foo (/srv/app/x.js:7:1)", "boom"),
        ("boom at async Promise.all (index 0)", "boom at async Promise.all (index 0)"),
        ("boom at file:///srv/app/x.mjs:7:1", "boom"),
        ("boom (node:internal/process/task_queues:95:5)", "boom ("),
        ("boom at new Foo.Bar(x)", "boom"),
        ('boom Traceback (most recent call last): File "/x.py", line 7', "boom"),
        ('boom File "/srv/x.py", line 7, in foo', "boom"),
        ("boom (/srv/x.py:7)", "boom"),
        ("boom #0 /var/www/x.php(12): Foo->bar() #1 {main}", "boom"),
        ("boom in /var/www/x.php:12", "boom"),
        ("boom in /var/www/x.php on line 12", "boom"),
        ("boom Stack trace: x", "boom"),
        ("PHP Fatal error:  Uncaught PDOException: x", ""),
        ("Uncaught Foo\\BarException: x", ""),
        ("boom #1 [internal function]: x", "boom"),
        ("boom app/models/user.rb:12:in `save'", "boom"),
        ("boom from /usr/lib/x.rb:3:in 'Foo#bar'", "boom"),
        ("boom thrown in /srv/x.erb:3", "boom"),
        ("thread 'main' panicked at src/main.rs:12:5: boom", ""),
        ("thread 'tokio-1' (77) panicked at 'boom', src/main.rs:12:5", ""),
        ("boom stack backtrace: 0: x", "boom"),
        ("boom note: run with RUST_BACKTRACE=1", "boom note: run with"),
        ("panic: runtime error: boom [recovered]", ""),
        ("http: panic serving 1.2.3.4:5: boom", "http:"),
        ("boom goroutine 17 [running]: main.main()", "boom"),
        ("boom\nmain.main\n\t/app/main.go:12 +0x1d", "boom"),
        ("boom of some\n\t/app/main.go:12 +0x1d", "boom of some"),
        ("boom lib/app/router.ex:352: App.call/2", "boom"),
        ("boom at script.pl line 12.", "boom"),
        ("boom #0 0x00007f in main () at main.c:5", "boom"),
        ("boom {file,\"src/x.erl\"}", "boom"),
        ("boom ORA-06512: at line 3", "boom"),
    ],
)  # fmt: skip
def test_a_trace_is_cut_off(text: str, kept: str) -> None:
    assert without_trace(text) == kept


@pytest.mark.parametrize(
    "text",
    ["evaluated at 12:30:45", "look at docs.example.com (new)", "Meet at Foo(1)", "at index 3", "version 1.2.java", "item #3 is odd", "see app.py", "main.go", "", "don't panic", "a.b:12"],
)  # fmt: skip
def test_what_is_no_trace_stays(text: str) -> None:
    assert without_trace(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("to postgres://app:s3cret@db:5432/x: late", "to […] late"),
        ("to postgresql+psycopg2://app@db/x", "to […]"),
        ("to mongodb+srv://u:p%40x@cluster/x?w=1, twice", "to […] twice"),
        ("(redis://:pw@h:6379/0)", "([…]"),
        ('"amqp://guest:guest@rabbit:5672/"', '"[…]'),
        ('to postgres://app:s3"cr<e`t@db/x now', "to […] now"),
        ("//app:s3cret@db/x", "[…]"),
        ("https://x/postgres://app:s3cret@db/x", "https://x/[…]"),
        ("at http://user:s3cret@10.0.0.1/x", "at […]"),
        ("at ftp://user:s3cret@h/x", "at […]"),
        ("jdbc:oracle:thin:scott/tiger@h:1521:o failed", "[…] failed"),
        ("mysql:host=localhost;dbname=x failed", "[…] failed"),
        ("dial app:s3cret@tcp(db:3306)/x failed", "dial […] failed"),
        ("scott/tiger@//db:1521/orcl failed", "[…] failed"),
        ("app:s3cret@db:5432 failed", "[…] failed"),
        ("Login: Server=db;Database=x;User Id=sa;Password=p;", "Login: […]"),
        ("Data Source=db;Initial Catalog=x;Integrated Security=true", "[…]"),
        ("x host=db port=5432 user=app", "x […]"),
        ("x DefaultEndpointsProtocol=https;AccountName=a;AccountKey=k==", "x […]"),
        ("x Endpoint=sb://a/;SharedAccessKeyName=b;SharedAccessKey=c", "x […]"),
        ("x DB_PASSWORD=p", "x DB_[…]"),
        ("x Host=a;Database=b", "x […]"),
        ("boom: {'host': 'db', 'user': 'app', 'password': 'x'} is bad", "boom: […]"),
        ('boom: {"host":"db","password":"x"}', "boom: […]"),
        ('boom: {\\"host\\":\\"db\\",\\"pwd\\": \\"x\\"}', "boom: […]"),
        ("boom 'client_secret': 'x'", "boom […]"),
    ],
)
def test_a_connection_string_is_replaced(text: str, kept: str) -> None:
    assert without_connections(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "see https://medium.com/@user/x", "mail a@b.com or mailto:a@b.com", "email:foo@bar.com is odd", "limit=5; offset=3", "host=a is odd", "app://callback is fine",
        "a :// b", "://x", "1://x", "", "pkg@1.2", "@", "user=a; port=b", "password is too short",
        "{'password': ['too short']}", "password: must be longer", '"password": null', "{'user': 'a'}",
    ],
)  # fmt: skip
def test_what_is_none_stays(text: str) -> None:
    assert without_connections(text) == text


@pytest.mark.parametrize(
    "atom",
    [
        "a", "://", " at ", "at a.", "#1 ", "host=", "password", "a:b@", "a://@ ", ".py:", ".py:1 ", "thread '", "panic", "\n ", "(", '"', "jdbc:", "at a(", "@", "file ", "x=",
        "user ", "data source", "Uncaught ", "a.", "goroutine 1", "\n\t", "secret_", "-", "sb", "{", "{\"password\":", "'pass' : ",
    ],
)  # fmt: skip
def test_any_text_costs_its_length(atom: str) -> None:
    """Were it quadratic in its length, this would take minutes."""
    text = atom * (200_000 // len(atom))
    began = time.process_time()
    without_connections(without_trace(text))
    assert time.process_time() - began < 2
