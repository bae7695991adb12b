"""Every number of a suite in MLflow, and read back from there.

Jobs write plain files; this package alone knows MLflow. One importer runs after all jobs, so that
training neither needs a tracking library nor waits for a database. Imports into one local store
take turns, because a fresh database breaks when several processes create it at once. A run of the
grid is a parent, each of its tasks a child; the tables are read back from the parents alone.
"""
