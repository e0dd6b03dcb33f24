"""Takes orders (POST /orders, a line of text) and lists them (GET /orders)."""
import http.server

import shop

TABLE = """
CREATE TABLE IF NOT EXISTS orders (
    id serial PRIMARY KEY, item text NOT NULL, state text NOT NULL DEFAULT 'taken')
"""


class Orders(http.server.BaseHTTPRequestHandler):
    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        with database.cursor() as cursor:
            cursor.execute("SELECT id, item, state FROM orders ORDER BY id")
            self.answer(200, "".join(f"{number} {item} {state}\n" for number, item, state in cursor))

    def do_POST(self):
        item = self.rfile.read(int(self.headers["Content-Length"])).decode().strip()
        with database.cursor() as cursor:
            cursor.execute("INSERT INTO orders (item) VALUES (%s) RETURNING id", (item,))
            number = cursor.fetchone()[0]
            cursor.execute("NOTIFY orders")
        print("took", number, item, flush=True)
        self.answer(201, f"{number}\n")


database = shop.connect()
with database.cursor() as setup:
    setup.execute(TABLE)
http.server.HTTPServer(("", 8000), Orders).serve_forever()
