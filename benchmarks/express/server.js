// The same registration service with Express and mysql2: one process, one pool, prepared
// statements, the same checks, headers, rate limit and log line. Reads its settings from the
// environment, as a service would that has asked AWS once at its start.
import { randomUUID } from "node:crypto";

import express from "express";
import { rateLimit } from "express-rate-limit";
import helmet from "helmet";
import { parsePhoneNumberFromString } from "libphonenumber-js/max";
import mysql from "mysql2/promise";
import pino from "pino";
import validator from "validator";

const { DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD, DB_CA_PEM, PORT } = process.env;

const pool = mysql.createPool({
  host: DB_HOST,
  port: Number(DB_PORT),
  database: DB_NAME,
  user: DB_USER,
  password: DB_PASSWORD,
  ssl: { ca: DB_CA_PEM },
  charset: "utf8mb4",
  timezone: "Z",
  connectionLimit: 20,
});
const log = pino();
const REQUEST_ID = /^[A-Za-z0-9._-]{8,64}$/;
const REFUSED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
const INSERT =
  "INSERT INTO users (id, name, email, phone, program, created_at) VALUES (?, ?, ?, ?, ?, ?)";
const FIND = "SELECT id, name, phone, program FROM users WHERE email = ?";
const FIELDS = new Set(["name", "email", "phone", "program"]);

function text(value, maximum) {
  if (typeof value !== "string") throw new Error("This must be text.");
  const normal = value.normalize("NFC").trim();
  if (!normal) throw new Error("Enter a value.");
  if (REFUSED.test(normal)) throw new Error("Remove the control characters.");
  if (normal.length > maximum) throw new Error(`Use at most ${maximum} characters.`);
  return normal;
}

function email(value) {
  const address = text(value, 254).toLowerCase();
  if (!validator.isEmail(address)) throw new Error("Enter an email address.");
  return address;
}

function phone(value) {
  const number = parsePhoneNumberFromString(text(value, 40));
  if (!number?.isPossible()) throw new Error("Enter a phone number.");
  return number.number;
}

const PARSERS = {
  name: (value) => text(value, 255),
  email,
  phone,
  program: (value) => text(value, 100),
};

function parse(body) {
  const values = {};
  const fields = {};
  for (const [name, parser] of Object.entries(PARSERS)) {
    try {
      values[name] = parser(body[name]);
    } catch (error) {
      fields[name] = error.message;
    }
  }
  for (const name of Object.keys(body)) {
    if (!FIELDS.has(name)) fields[name] = "There is no such field.";
  }
  return { values, fields };
}

function refuse(request, response, status, code, message, fields = {}) {
  const error = { code, message, fields, request_id: request.id };
  response.status(status).json({ error });
}

const app = express();
app.set("trust proxy", 1);
app.set("etag", false);
app.use((request, response, next) => {
  const started = performance.now();
  const given = request.get("x-request-id") ?? "";
  request.id = REQUEST_ID.test(given) ? given : randomUUID();
  response.setHeader("X-Request-Id", request.id);
  response.on("finish", () => {
    if (request.path === "/healthz") return;
    log.info({
      request_id: request.id,
      method: request.method,
      route: request.path,
      status: response.statusCode,
      duration_ms: performance.now() - started,
    });
  });
  next();
});
app.use(helmet());
app.get("/healthz", (request, response) => response.json({ status: "ok" }));
app.post(
  "/api/register",
  rateLimit({ windowMs: 60_000, limit: 1_000_000_000, legacyHeaders: false }),
  express.json({ limit: "16kb" }),
  async (request, response) => {
    const body = request.body;
    if (body === null || typeof body !== "object" || Array.isArray(body)) {
      return refuse(request, response, 400, "invalid_json", "The body must be a JSON object.");
    }
    const { values, fields } = parse(body);
    if (Object.keys(fields).length > 0) {
      return refuse(request, response, 400, "invalid_fields", "Some fields are wrong.", fields);
    }
    const id = randomUUID();
    const row = [id, values.name, values.email, values.phone, values.program, new Date()];
    try {
      await pool.execute(INSERT, row);
    } catch (error) {
      if (error.code !== "ER_DUP_ENTRY") throw error;
      const [[found]] = await pool.execute(FIND, [values.email]);
      const same = ["name", "phone", "program"].every((name) => found[name] === values[name]);
      if (!same) return refuse(request, response, 409, "email_taken", "It is registered.");
      return response.json({ id: found.id, message: "User already registered" });
    }
    response.status(201).json({ id, message: "User created" });
  },
);
app.use((error, request, response, next) => {
  const status = error.status ?? 503;
  refuse(request, response, status, "failed", "It could not be done.");
});
const server = app.listen(Number(PORT), "127.0.0.1");
server.keepAliveTimeout = 75_000;
