-- Prepares a database for postgresql.yml. Run it once as a superuser, and then set the password of the rotator with
-- psql's \password, which sends no plaintext: \password rotator
-- With log_statement = ddl or all, the server's own log would have each new password.

CREATE ROLE app NOLOGIN; -- owns the rights of the application: GRANT them to this role
CREATE ROLE app_a NOLOGIN IN ROLE app;
CREATE ROLE app_b NOLOGIN IN ROLE app;
COMMENT ON ROLE app IS 'app_b'; -- the role that is stored; the first rotation begins with the other one

CREATE ROLE rotator LOGIN CREATEROLE;
GRANT app, app_a, app_b TO rotator WITH ADMIN OPTION;
GRANT pg_signal_backend TO rotator; -- to end the sessions of a role that it locks
