-- Helpers and trigger functions live in a schema that the Data API does not expose.
create schema private;

comment on schema private is
  'Helpers that only the functions of the public schema call. Never listed in the Data API''s schemas.';

revoke all on schema private from public, anon, authenticated, service_role;
