// The service as the notes have it: for each request it asks AWS for three parameters and the
// password, opens a database connection, inserts, and closes the connection.
import { randomUUID } from "node:crypto";

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import express from "express";
import mysql from "mysql2/promise";

const { PARAM_HOST_PATH, PARAM_DB_NAME_PATH, PARAM_USER_PATH, DB_SECRET_ARN } = process.env;
const { DB_PORT, DB_CA_PEM, PORT } = process.env;
const ssm = new SSMClient();
const secrets = new SecretsManagerClient();

async function parameter(name) {
  const answer = await ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
  return answer.Parameter.Value;
}

const app = express();
app.use(express.json());
app.get("/healthz", (request, response) => response.json({ status: "ok" }));
app.post("/api/register", async (request, response) => {
  const { name, email, phone, program } = request.body;
  const connection = await mysql.createConnection({
    host: await parameter(PARAM_HOST_PATH),
    database: await parameter(PARAM_DB_NAME_PATH),
    user: await parameter(PARAM_USER_PATH),
    password: (await secrets.send(new GetSecretValueCommand({ SecretId: DB_SECRET_ARN })))
      .SecretString,
    port: Number(DB_PORT),
    ssl: { ca: DB_CA_PEM },
  });
  await connection.execute(
    "INSERT INTO users (id, name, email, phone, program, created_at) VALUES (?, ?, ?, ?, ?, ?)",
    [randomUUID(), name, email, phone, program, new Date()],
  );
  await connection.end();
  response.status(201).json({ message: "User created" });
});
app.listen(Number(PORT), "127.0.0.1");
